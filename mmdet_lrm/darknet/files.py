"""Whole imports and exports: files in, files out, and nothing written if anything is wrong."""

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from mmdet.datasets import CocoDataset, VOCDataset
from mmengine.config import Config
from torch import nn

from ..launch import read_config
from ..progress import steps
from ..reading.text import TextError, read_text
from .cfg import DarknetError, Layer, Section, follow, input_shape, read_cfg, write_cfg
from .checkpoint import header_of, read_checkpoint
from .convert import (
    backbone_description,
    build,
    detector_config,
    image_channels,
    to_arrays,
    to_state_dict,
)
from .describe import Described, describe
from .reading import Deviation, check, cpu_deviation, read_maps
from .surroundings import fold_epsilons, fold_preprocessing, pipeline_input
from .weights import Arrays, check_arrays, read_weights, write_weights

LOGGER = logging.getLogger(__name__)
GREY = dict(type='RandomGrayscale', prob=1.0, channel_weights=(0.114, 0.587, 0.299))
KNOWN_CLASSES = {20: VOCDataset.METAINFO, 80: CocoDataset.METAINFO}


# --- import ---------------------------------------------------------------------------------------


def import_network(
    cfg: Path,
    weights: Path,
    out: Path,
    names: Path | None = None,
    force: bool = False,
    letterbox: bool = False,
    verify: bool = True,
    say: Callable[[str], None] = LOGGER.info,
) -> list[Path]:
    """``out``.py and ``out``.pth of a detector.

    Args:
        cfg: darknet's network.
        weights: its numbers, of all layers.
        out: path without suffix.
        names: file with a class a line; without it 20 classes are VOC's and 80 COCO's.
        force: replace files that exist.
        letterbox: the config keeps the aspect ratio of images, on a grey canvas, instead of
            stretching them; so it does if the ``.cfg`` has ``letter_box=1``.
        verify: compare the maps of what was written with an independent reading of the network.
        say: is told what was verified.

    Raises:
        DarknetError: a file cannot be read, or is not what it should be.
    """
    files = _targets(out, ('.py', '.pth'), force)
    sections = read_cfg(cfg)
    layers = follow(sections)
    model = detector_config(sections, layers)
    header, arrays = read_weights(weights, layers)
    detector = build(model)
    state = to_state_dict(describe(detector), arrays)
    images_seen = {'bbox_head.images_seen': torch.tensor(header.seen)}
    own = detector.state_dict()
    state |= {key: value for key, value in images_seen.items() if key in own}
    state |= {key: own[key] for key in own if key.endswith('num_batches_tracked')}
    metainfo = _metainfo(model['bbox_head']['num_classes'], names)
    letterbox = letterbox or sections[0].integer('letter_box', 0) != 0
    config = Config(inference_config(model, sections[0], metainfo, letterbox))
    meta = dict(dataset_meta=metainfo, darknet_header=tuple(header))

    def verified(config_file: Path, checkpoint: Path) -> str:
        written = build(Config.fromfile(config_file).model)
        written.load_state_dict(read_checkpoint(checkpoint)[0])
        return _verify(written, sections[0], layers, arrays, cpu_deviation)

    _write_all(
        {
            files[0]: config.dump,
            files[1]: lambda path: torch.save(dict(meta=meta, state_dict=state), path),
        },
        verified if verify else None,
        say,
    )
    return files


def import_backbone(
    cfg: Path,
    weights: Path,
    out: Path,
    force: bool = False,
    verify: bool = True,
    say: Callable[[str], None] = LOGGER.info,
) -> list[Path]:
    """``out``.pth with the backbone's parameters, of all its layers or the first of them.

    It holds them under ``backbone.``, for ``init_cfg=dict(type='Pretrained', prefix='backbone.')``.
    Arguments and errors are those of :func:`import_network`.
    """
    (file,) = _targets(out, ('.pth',), force)
    sections = read_cfg(cfg)
    layers = follow(sections)
    header, arrays = read_weights(weights, layers, partial=True)
    backbone, described = backbone_description(sections, layers)
    arrays = {index: arrays[index] for index in arrays if index < len(described)}
    state = to_state_dict(described, arrays)
    if not state:
        raise DarknetError(f'{weights} has no layer of a backbone')
    meta = dict(darknet_header=tuple(header))

    def verified(checkpoint: Path) -> str:
        own = {
            key.removeprefix('backbone.'): value
            for key, value in read_checkpoint(checkpoint)[0].items()
        }
        backbone.load_state_dict(own, strict=False)
        return _verify_backbone(backbone, described, sections[0], layers, arrays)

    _write_all(
        {file: lambda path: torch.save(dict(meta=meta, state_dict=state), path)},
        verified if verify else None,
        say,
    )
    return [file]


def inference_config(model: dict, net: Section, metainfo: dict, letterbox: bool) -> dict:
    """A config for DetInferencer and tools/test.py, with darknet's preprocessing."""
    scale = (net.integer('width'), net.integer('height'))
    keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    resize = dict(type='Resize', scale=scale, keep_ratio=False)
    if letterbox:
        resize = dict(type='DarknetLetterbox', scale=scale)
        keys = (*keys, 'letterbox')
    load = [dict(type='LoadImageFromFile')]
    if input_shape(net)[0] == 1:
        # The second is for arrays that the inferencer is given; its weights are those of a loader.
        load = [dict(type='LoadImageFromFile', color_type='grayscale'), GREY]
    pipeline = [
        *load,
        resize,
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs', meta_keys=keys),
    ]
    loader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='VOCDataset',
            data_root='data/VOCdevkit',
            ann_file='VOC2007/ImageSets/Main/test.txt',
            data_prefix=dict(sub_data_root='VOC2007/'),
            metainfo=metainfo,
            test_mode=True,
            pipeline=pipeline,
        ),
    )
    return dict(
        default_scope='mmdet',
        custom_imports=dict(imports=['mmdet_lrm'], allow_failed_imports=False),
        model=model,
        test_dataloader=loader,
        test_evaluator=dict(type='VOCMetric', metric='mAP', eval_mode='11points'),
        test_cfg=dict(type='TestLoop'),
        visualizer=dict(
            type='DetLocalVisualizer',
            vis_backends=[dict(type='LocalVisBackend')],
            name='visualizer',
        ),
    )


# --- export ---------------------------------------------------------------------------------------


def export_network(
    config: str | Path,
    checkpoint: Path,
    out: Path,
    force: bool = False,
    verify: bool = True,
    say: Callable[[str], None] = LOGGER.info,
) -> list[Path]:
    """``out``.cfg and .weights of a YOLOv2 or YOLOv3 of MMDetection, and beside them its .names.

    What surrounds the network in the config is taken into the files where they can hold it
    (:mod:`mmdet_lrm.darknet.surroundings`).

    Args:
        config: of the detector.
        checkpoint: its parameters, and its classes' names as MMEngine keeps them.
        out: path without suffix.
        force: replace files that exist.
        verify: compare the maps of the detector, behind its own preprocessing, with an independent
            reading of what was written.
        say: is told what was verified, where the names are, and what no file holds.

    Raises:
        DarknetError: darknet cannot express the detector, or the checkpoint is of another one.
    """
    files = _targets(out, ('.cfg', '.weights', '.names'), force)
    cfg = read_config(config)
    model = build(cfg.model.to_dict())
    described = describe(model)
    image = pipeline_input(cfg)
    state, meta = read_checkpoint(checkpoint)
    arrays = to_arrays(described, state)
    options = net_options(image.width, image.height, image.letterbox, image_channels(model))
    net = Section('net', {key: str(value) for key, value in options.items()})
    sections = [net, *(each.section for each in described)]
    layers = follow(sections)
    check_arrays(layers, arrays)
    deviation = fold_epsilons(model, described, arrays)
    fold_preprocessing(model.data_preprocessor, image, layers[0], arrays.get(0, {}))
    names = _class_names(cfg, meta, model.bbox_head.num_classes)

    def verified(cfg_file: Path, weights: Path, _names: Path) -> str:
        model.load_state_dict(state, strict=False)
        written = read_cfg(cfg_file)
        own_layers = follow(written)
        _, numbers = read_weights(weights, own_layers)
        return _verify(model, written[0], own_layers, numbers, deviation)

    _write_all(
        {
            files[0]: lambda path: write_cfg(path, sections),
            files[1]: lambda path: write_weights(path, header_of(state, meta), layers, arrays),
            files[2]: lambda path: path.write_text('\n'.join([*names, '']), encoding='utf-8'),
        },
        verified if verify else None,
        say,
    )
    say(f'classes of the network in {files[2]}')
    say(f'no .cfg holds thresholds; give them to the program that runs it: {_thresholds(model)}')
    return files[:2]


def _thresholds(model: nn.Module) -> str:
    test_cfg = model.test_cfg or {}
    nms = dict(test_cfg.get('nms', {}))
    return f'scores from {test_cfg.get("score_thr", 0)} on, nms {nms}'


def _class_names(cfg: Config, meta: dict, num_classes: int) -> list[str]:
    """Of the checkpoint, else of the config's test data, else numbers.

    Raises:
        DarknetError: they are not as many as the network's classes.
    """
    metas = [meta.get('dataset_meta')]
    metas.append(cfg.get('test_dataloader', {}).get('dataset', {}).get('metainfo'))
    for each in metas:
        names = list((each or {}).get('classes') or ())
        if names:
            break
    else:
        names = _unknown_classes(num_classes)
    if len(names) != num_classes:
        raise DarknetError(
            f'the checkpoint or config names {len(names)} classes, the head has {num_classes}'
        )
    return names


def net_options(width: int, height: int, letterbox: bool = False, channels: int = 3) -> dict:
    """yolov2-voc.cfg's, with which darknet can train the network further."""
    options = dict(
        batch=64,
        subdivisions=8,
        width=width,
        height=height,
        channels=channels,
        momentum=0.9,
        decay=0.0005,
        angle=0,
        saturation=1.5,
        exposure=1.5,
        hue='.1',
        learning_rate=0.001,
        burn_in=1000,
        max_batches=80200,
        policy='steps',
        steps='40000,60000',
        scales='.1,.1',
    )
    return options | dict(letter_box=1) if letterbox else options


def _metainfo(num_classes: int, names: Path | None) -> dict:
    if names is None:
        known = KNOWN_CLASSES.get(num_classes)
        if known:
            return dict(classes=tuple(known['classes']), palette=list(known['palette']))
        return dict(classes=tuple(_unknown_classes(num_classes)))
    try:
        lines = read_text(names, fallback='latin-1').split('\n')
    except (OSError, TextError) as error:
        raise DarknetError(f'{names} cannot be read: {error}') from error
    classes = [each.strip() for each in lines if each.strip()]
    if len(classes) != num_classes:
        raise DarknetError(f'{names} has {len(classes)} names, the network {num_classes} classes')
    return dict(classes=tuple(classes))


def _unknown_classes(num_classes: int) -> list[str]:
    return [f'class {index}' for index in range(num_classes)]


# --- both -----------------------------------------------------------------------------------------


def _verify(
    model: nn.Module,
    net: Section,
    layers: Sequence[Layer],
    arrays: dict[int, Arrays],
    deviation: Deviation,
) -> str:
    """How well a detector, behind its preprocessing, agrees with a reading of the network."""
    pixels, image = _random_image(net)
    model.eval()
    with torch.no_grad():
        batch = model.data_preprocessor(dict(inputs=[pixels], data_samples=None))
        (maps,) = model.bbox_head(model.extract_feat(batch['inputs']))
    wanted = [layer.index - 1 for layer in layers if layer.kind in ('region', 'yolo')]
    others, reader = read_maps(layers, arrays, image, wanted, deviation)
    return check([each[0].numpy() for each in maps], others, reader)


def _verify_backbone(
    backbone: nn.Module,
    described: Sequence[Described],
    net: Section,
    layers: Sequence[Layer],
    arrays: dict[int, Arrays],
) -> str:
    """The same of a backbone up to its last convolution that has numbers."""
    last = max(arrays)
    caught = []
    module = backbone.get_submodule(described[last].prefix.removeprefix('backbone.'))
    module.register_forward_hook(lambda module, args, out: caught.append(out))
    _, image = _random_image(net)
    backbone.eval()
    with torch.no_grad():
        backbone(torch.from_numpy(image)[None])
    others, reader = read_maps(layers, arrays, image, [last], cpu_deviation)
    return check([caught[0][0].numpy()], others, reader)


def _random_image(net: Section) -> tuple[torch.Tensor, np.ndarray]:
    """(C, H, W): pixels as MMDetection loads them, BGR or grey, and as darknet does."""
    pixels = np.random.default_rng(0).integers(0, 256, input_shape(net), dtype=np.uint8)
    return torch.from_numpy(pixels), np.float32(pixels[::-1]) / 255


def _targets(out: Path, suffixes: tuple[str, ...], force: bool) -> list[Path]:
    """The files to write, of which none may exist unless ``force``."""
    files = [out.with_name(out.name + suffix) for suffix in suffixes]
    there = [str(file) for file in files if file.exists()]
    if there and not force:
        raise DarknetError(f'{", ".join(there)} exist; name another --out, or give --force')
    return files


def _write_all(
    writers: dict[Path, Callable[[Path], None]],
    verified: Callable[..., str] | None,
    say: Callable[[str], None],
) -> None:
    """Write every file beside its place first, so that an error leaves none.

    ``verified`` is given the files that lie there, and returns how well they agree, or raises.
    """
    made = {}
    try:
        with steps(len(writers) + bool(verified)) as begin:
            for file, write in writers.items():
                begin(f'writing {file.name}')
                file.parent.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=file.parent, suffix=file.suffix)
                os.close(handle)
                made[file] = Path(name)
                write(made[file])
            agreement = 'not verified'
            if verified:
                begin('comparing with another reading')
                agreement = verified(*made.values())
        say(agreement)
        for file, temporary in made.items():
            temporary.chmod(0o644)
            os.replace(temporary, file)
    finally:
        for temporary in made.values():
            temporary.unlink(missing_ok=True)
