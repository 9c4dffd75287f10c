# The tiny network from VOC's weights on KITTI's subset, at the size of its config. Its checkpoint:
# python tools/darknet.py import tiny-yolov2-trial3.cfg tiny-yolov2-trial3.weights \
#     --out tiny-yolov2-trial3
_base_ = './kitti_scratch_full.py'
baseline = 'yolov2-tiny-transfer_kitti.py'
variants = ['yolov2-tiny-transfer_lrm_kitti.py']
