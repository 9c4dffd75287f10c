# The detector of the paper, with all of Darknet-19: does the pair train? Eleven minutes on one CPU
# core, 150 priors.
baseline = 'yolov2_bccd.py'
variants = ['yolov2_lrm_bccd.py']
seeds = 1
input_size = (192, 160)
epochs = 8
reduced = {
    # Of the few steps there are, faster than darknet's.
    'model.backbone.norm_cfg': dict(type='BN', eps=1e-5, momentum=0.1),
    'model.neck.norm_cfg': dict(type='BN', eps=1e-5, momentum=0.1),
    # Those of the config, reduced as the images are.
    'model.bbox_head.anchor_generator.base_sizes': [
        [(11.7, 12.7), (30.3, 28.3), (29.1, 34.3), (34.5, 36.0), (64.5, 65.0)],
    ],
    # Smaller steps, and twice as many of them.
    'train_dataloader.batch_size': 4,
    # Fused, a step with 50 million weights takes a tenth of the time.
    'optim_wrapper.optimizer': dict(lr=2e-3, fused=True),
}
