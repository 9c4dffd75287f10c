# The paper's detector on KITTI at the frames' own size, the usual 3,712 of them for training and
# 3,769 for evaluation.
_base_ = './_base_/paper.py'
baseline = 'yolov2-imagenet_kitti.py'
data = dict(KITTI_ROOT='data/kitti', DARKNET19='data/darknet19_448.pth')
images = (3712, 3769)
needs = {
    'KITTI (12 GB)': 'left color images and training labels of '
    'https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=2d, after registration, '
    'and the usual lists train.txt and val.txt; then python tools/prepare_kitti.py data/kitti '
    '--images data_object_image_2.zip --labels data_object_label_2.zip --split-dir FOLDER',
}
