# The same with frames that are stretched to 416 x 416 px, the input of YOLOv2 on other data.
_base_ = './paper-kitti.py'
input_size = (416, 416)
options = {
    # Those of the config, stretched as the frames are, which leaves their IoU as it is.
    'model.bbox_head.anchor_generator.base_sizes': [
        [(11.0, 25.8), (9.5, 77.2), (18.5, 40.3), (32.2, 57.0), (50.2, 100.4), (89.1, 190.1)],
    ],
    'model.data_preprocessor.batch_augments.0.random_size_range': (320, 608),
}
