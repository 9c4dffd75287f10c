"""Whole imports and exports: files in, files out, and nothing written if anything is wrong."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmdet.datasets import CocoDataset, VOCDataset
from mmengine.config import Config

from .cfg import DarknetError, Layer, Section, follow, read_cfg, write_cfg
from .convert import (
    Described,
    build,
    describe,
    detector_config,
    to_arrays,
    to_state_dict,
)
from .weights import Header, read_weights, write_weights

KNOWN_CLASSES = {20: VOCDataset.METAINFO, 80: CocoDataset.METAINFO}


def import_network(
    cfg: Path,
    weights: Path,
    out: Path,
    names: Path | None = None,
    force: bool = False,
    letterbox: bool = False,
) -> list[Path]:
    """``out``.py and ``out``.pth of a detector.

    Args:
        cfg: darknet's network.
        weights: its numbers, of all layers.
        out: path without suffix.
        names: file with a class a line; without it 20 classes are VOC's and 80 COCO's.
        force: replace files that exist.
        letterbox: the config keeps the aspect ratio of images, on a grey canvas, instead of
            stretching them.

    Raises:
        DarknetError: a file cannot be read, or is not what it should be.
    """
    files = _targets(out, ('.py', '.pth'), force)
    sections = read_cfg(cfg)
    layers = follow(sections)
    model = detector_config(sections, layers)
    header, arrays = read_weights(weights, layers)
    detector = build(model)
    described = describe(detector)
    state = to_state_dict(described, arrays)
    images_seen = {'bbox_head.images_seen': torch.tensor(header.seen)}
    own = detector.state_dict()
    state |= {key: value for key, value in images_seen.items() if key in own}
    state |= {key: own[key] for key in own if key.endswith('num_batches_tracked')}
    detector.load_state_dict(state)
    metainfo = _metainfo(model['bbox_head']['num_classes'], names)
    config = Config(inference_config(model, sections[0], metainfo, letterbox))
    meta = dict(dataset_meta=metainfo, darknet_header=tuple(header))
    _write_all(
        {
            files[0]: config.dump,
            files[1]: lambda path: torch.save(dict(meta=meta, state_dict=state), path),
        }
    )
    return files


def import_backbone(cfg: Path, weights: Path, out: Path, force: bool = False) -> list[Path]:
    """``out``.pth with the backbone's parameters, of all its layers or the first of them.

    It holds them under ``backbone.``, for ``init_cfg=dict(type='Pretrained', prefix='backbone.')``.
    """
    (file,) = _targets(out, ('.pth',), force)
    sections = read_cfg(cfg)
    layers = follow(sections)
    header, arrays = read_weights(weights, layers, partial=True)
    described = _backbone_description(sections, layers)
    state = {
        key: value
        for key, value in to_state_dict(described, arrays).items()
        if key.startswith('backbone.')
    }
    if not state:
        raise DarknetError(f'{weights} has no layer of a backbone')
    meta = dict(darknet_header=tuple(header))
    _write_all({file: lambda path: torch.save(dict(meta=meta, state_dict=state), path)})
    return [file]


def _backbone_description(sections: list[Section], layers: Sequence[Layer]) -> list[Described]:
    """Of a detector, or of the classifier Darknet-19, whose convolutions are the backbone's."""
    if any(layer.kind in ('region', 'yolo') for layer in layers):
        return describe(build(detector_config(sections, layers)))
    backbone = build(dict(type='Darknet19'))
    found = []
    for index, (stage, pool) in enumerate(zip(backbone.stages, backbone.pools, strict=True)):
        found += [f'backbone.stages.{index}.{inner}' for inner in range(len(stage))]
        if not isinstance(pool, torch.nn.Identity):
            found.append(None)
    shapes = [conv.conv.weight.shape for stage in backbone.stages for conv in stage]
    convs = [layer for layer in layers if layer.kind == 'convolutional'][: len(shapes)]
    if [(each.out_channels, each.in_channels, each.size, each.size) for each in convs] != [
        tuple(shape) for shape in shapes
    ]:
        raise DarknetError(
            'the .cfg is neither a detector nor the classifier Darknet-19; no backbone here is it'
        )
    return [Described(layer.section, prefix) for layer, prefix in zip(layers, found, strict=False)]


def inference_config(model: dict, net: Section, metainfo: dict, letterbox: bool) -> dict:
    """A config for DetInferencer and tools/test.py, with darknet's preprocessing."""
    scale = (net.integer('width'), net.integer('height'))
    keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
    resize = dict(type='Resize', scale=scale, keep_ratio=False)
    if letterbox:
        resize = dict(type='DarknetLetterbox', scale=scale)
        keys = (*keys, 'letterbox')
    pipeline = [
        dict(type='LoadImageFromFile'),
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


def export_network(
    config: str | Path, checkpoint: Path, out: Path, force: bool = False
) -> list[Path]:
    """``out``.cfg and ``out``.weights of a YOLOv2 or YOLOv3 of MMDetection.

    Raises:
        DarknetError: darknet cannot express the detector, or the checkpoint is of another one.
    """
    files = _targets(out, ('.cfg', '.weights'), force)
    cfg = Config.fromfile(config)
    model = build(_without_pretrained(cfg.model.to_dict()))
    described = describe(model)
    try:
        loaded = torch.load(checkpoint, map_location='cpu', weights_only=False)
    except (OSError, RuntimeError, EOFError) as error:
        raise DarknetError(f'{checkpoint} cannot be read: {error}') from error
    state = loaded.get('state_dict', loaded)
    width, height = _input_size(cfg)
    net = Section('net', {k: str(v) for k, v in net_options(width, height).items()})
    sections = [net, *(each.section for each in described)]
    layers = follow(sections)
    header = Header(*loaded.get('meta', {}).get('darknet_header', ()))
    seen = state.get('bbox_head.images_seen')
    if seen is not None:
        header = header._replace(seen=int(seen))
    arrays = to_arrays(described, state)
    _write_all(
        {
            files[0]: lambda path: write_cfg(path, sections),
            files[1]: lambda path: write_weights(path, header, layers, arrays),
        }
    )
    return files


def net_options(width: int, height: int) -> dict:
    """yolov2-voc.cfg's, with which darknet can train the network further."""
    return dict(
        batch=64,
        subdivisions=8,
        width=width,
        height=height,
        channels=3,
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


def _input_size(cfg: Config) -> tuple[int, int]:
    """Width and height that the test pipeline resizes to."""
    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline', [])
    for step in pipeline:
        if step['type'] in ('Resize', 'DarknetLetterbox'):
            return tuple(step['scale'])
    raise DarknetError(
        'test_dataloader.dataset.pipeline of the config has neither Resize nor DarknetLetterbox'
    )


def _without_pretrained(model: dict) -> dict:
    init = model.get('backbone', {}).get('init_cfg')
    if isinstance(init, dict) and init.get('type') == 'Pretrained':
        model['backbone']['init_cfg'] = None
    return model


def _metainfo(num_classes: int, names: Path | None) -> dict:
    if names is None:
        known = KNOWN_CLASSES.get(num_classes)
        if known:
            return dict(classes=tuple(known['classes']), palette=list(known['palette']))
        return dict(classes=tuple(f'class {index}' for index in range(num_classes)))
    try:
        classes = [each.strip() for each in names.read_text().splitlines() if each.strip()]
    except OSError as error:
        raise DarknetError(f'{names} cannot be read: {error}') from error
    if len(classes) != num_classes:
        raise DarknetError(f'{names} has {len(classes)} names, the network {num_classes} classes')
    return dict(classes=tuple(classes))


def _targets(out: Path, suffixes: tuple[str, ...], force: bool) -> list[Path]:
    """The files to write, of which none may exist unless ``force``."""
    files = [out.with_name(out.name + suffix) for suffix in suffixes]
    there = [str(file) for file in files if file.exists()]
    if there and not force:
        raise DarknetError(f'{", ".join(there)} exist; name another --out, or give --force')
    return files


def _write_all(writers: dict[Path, Callable[[Path], None]]) -> None:
    """Write every file beside its place first, so that an error leaves none."""
    made = {}
    try:
        for file, write in writers.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=file.parent, suffix=file.suffix)
            os.close(handle)
            made[file] = Path(name)
            write(made[file])
        for file, temporary in made.items():
            temporary.chmod(0o644)
            os.replace(temporary, file)
    finally:
        for temporary in made.values():
            temporary.unlink(missing_ok=True)
