"""Which keys of a ``.cfg`` may stand in which section.

Darknet passes over keys that it does not know, and its two lines (pjreddie's and AlexeyAB's) know
different ones; a reader that does so too gives another network without a word. So a key is either
understood here, or known to steer training, drawing or speed alone, or refused; some are understood
at one value only, at which they change nothing. Source: the two parsers' calls of ``option_find``.
"""

# Read by this package.
UNDERSTOOD = {
    'net': {'width', 'height', 'channels', 'letter_box'},
    'convolutional': {
        *('filters', 'size', 'stride', 'stride_x', 'stride_y', 'pad', 'padding', 'dilation'),
        *('groups', 'batch_normalize', 'activation'),
    },
    'maxpool': {'size', 'stride', 'stride_x', 'stride_y', 'padding'},
    'route': {'layers'},
    'shortcut': {'from', 'activation'},
    'reorg': {'stride'},
    'upsample': {'stride'},
    'region': {
        *('anchors', 'classes', 'coords', 'num', 'softmax', 'background', 'tree', 'map'),
        *('object_scale', 'noobject_scale', 'class_scale', 'coord_scale', 'rescore', 'thresh'),
    },
    'yolo': {'mask', 'anchors', 'classes', 'num', 'scale_x_y'},
    'avgpool': set(),
    'softmax': set(),
    'cost': set(),
}

# Refused unless they have one of these values.
NEUTRAL = {
    'net': {'time_steps': ('1',)},
    'convolutional': {
        **dict.fromkeys(
            ('xnor', 'binary', 'bin_output', 'flipped', 'cbn', 'antialiasing', 'coordconv'), ('0',)
        ),
        **dict.fromkeys(('sway', 'rotate', 'stretch', 'stretch_sway', 'reverse'), ('0',)),
        'assisted_excitation': ('0',),
    },
    'maxpool': dict.fromkeys(('maxpool_depth', 'antialiasing', 'maxpool_zero_nonmax'), ('0',))
    | {'out_channels': ('1',)},
    'route': {'groups': ('1',), 'group_id': ('0',)},
    'shortcut': {
        'alpha': ('1',),
        'beta': ('1',),
        'weights_type': ('none',),
        'weights_normalization': ('none',),
    },
    'reorg': dict.fromkeys(('reverse', 'flatten', 'extra'), ('0',)),
    'upsample': {'scale': ('1',)},
    'region': {'classfix': ('0',)},
    'yolo': {'new_coords': ('0',), 'nms_kind': ('default', 'greedynms')},
}
# In every layer: parts of it that a file of weights leaves out.
NEUTRAL_ANYWHERE = dict.fromkeys(
    ('dontload', 'dontloadscales', 'dontsave', 'numload', 'onlyforward'), ('0',)
)

# Of training, of what is printed, and of the machine.
HARMLESS = {
    'net': {
        *('batch', 'subdivisions', 'sequential_subdivisions', 'dynamic_minibatch', 'loss_scale'),
        *('max_batches', 'learning_rate', 'learning_rate_min', 'momentum', 'decay', 'burn_in'),
        *('policy', 'steps', 'scales', 'seq_scales', 'step', 'scale', 'gamma', 'power'),
        *('sgdr_cycle', 'sgdr_mult', 'adam', 'B1', 'B2', 'eps', 'ema_alpha', 'adversarial_lr'),
        *('angle', 'aspect', 'saturation', 'exposure', 'hue', 'flip', 'blur', 'gaussian_noise'),
        *('max_crop', 'min_crop', 'max_ratio', 'min_ratio', 'center', 'resize_step', 'random'),
        *('mixup', 'cutmix', 'mosaic', 'mosaic_bound', 'label_smooth_eps', 'attention', 'track'),
        *('contrastive', 'contrastive_jit_flip', 'contrastive_color', 'unsupervised', 'notruth'),
        *('equidistant_point', 'badlabels_rejection_percentage', 'num_sigmas_reject_badlabels'),
        *('weights_reject_freq', 'augment_speed', 'try_fix_nan', 'clip', 'max_chart_loss'),
        *('use_cuda_graph', 'optimized_memory', 'workspace_size_limit_MB', 'show_receptive_field'),
    },
    'convolutional': {'dot', 'angle', 'grad_centr', 'stream', 'wait_stream'},
    'route': {'stream', 'wait_stream'},
    'region': {
        *('bias_match', 'absolute', 'jitter', 'resize', 'random', 'max', 'mask_scale', 'log'),
        *('sqrt', 'focal_loss'),
    },
    'yolo': {
        *('jitter', 'resize', 'random', 'max', 'ignore_thresh', 'truth_thresh', 'iou_thresh'),
        *('iou_loss', 'iou_thresh_kind', 'iou_normalizer', 'obj_normalizer', 'cls_normalizer'),
        *('delta_normalizer', 'max_delta', 'label_smooth_eps', 'objectness_smooth', 'focal_loss'),
        *('counters_per_class', 'beta_nms', 'show_details', 'track_history_size', 'sim_thresh'),
        *('dets_for_track', 'dets_for_show', 'track_ciou_norm'),
    },
    'softmax': {'groups', 'temperature', 'noloss', 'spatial', 'tree'},
    'cost': {'type', 'scale', 'ratio', 'noobj', 'thresh'},
}
HARMLESS_ANYWHERE = {'stopbackward', 'train_only_bn', 'learning_rate', 'smooth', 'truth', 'burnin'}


def is_understood(kind: str, key: str) -> bool:
    return key in UNDERSTOOD[kind]


def fault(kind: str, key: str, value: str) -> str | None:
    """Why a section of this kind may not have the key at this value; None if it may."""
    if key in UNDERSTOOD[kind] or key in HARMLESS.get(kind, ()):
        return None
    if kind != 'net' and key in HARMLESS_ANYWHERE:
        return None
    neutral = NEUTRAL.get(kind, {}) | (NEUTRAL_ANYWHERE if kind != 'net' else {})
    if key not in neutral:
        return (
            'which is not understood here and might change the network; remove the line if darknet '
            'computes the same without it'
        )
    if value in neutral[key] or _number(value) in map(_number, neutral[key]):
        return None
    return (
        f'which changes the network and is not supported; supported is {" or ".join(neutral[key])}'
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
