"""Imported networks against darknet's own forward pass, and against OpenCV's as a second oracle."""

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hub import get_config
from random_networks import (
    conv,
    net,
    opencv_map,
    pool,
    region,
    route,
    section,
    shortcut,
    write_random,
)

from mmdet_lrm.darknet.cfg import follow, write_cfg
from mmdet_lrm.darknet.convert import YOLOV3_CONFIG, build, to_arrays
from mmdet_lrm.darknet.describe import describe
from mmdet_lrm.darknet.files import export_network, import_network
from mmdet_lrm.darknet.weights import Header, write_weights

META = dict(img_shape=(224, 224), ori_shape=(224, 224), scale_factor=(1.0, 1.0))


def loaded(name):
    """The detector of an import, ready to run, and its config."""
    config = Config.fromfile(name.with_suffix('.py'))
    model = MODELS.build(config.model).eval()
    model.load_state_dict(torch.load(name.with_suffix('.pth'))['state_dict'])
    return model, config


def raw_map(model, image):
    with torch.no_grad():
        ((raw,),) = model.bbox_head(model.extract_feat(torch.from_numpy(image)[None]))
    return raw


@pytest.mark.parametrize('network', ['tiny-yolov2-trial3', 'tiny-yolov2-trial3-noBatch'])
def test_maps_and_detections_are_darknets(network, shared_dir, tmp_path):
    golden = np.load(shared_dir / f'golden/darknet_forward/{network}.npz')
    source = shared_dir / f'data/darknet/{network}'
    import_network(source.with_suffix('.cfg'), source.with_suffix('.weights'), tmp_path / 'net')
    model, _ = loaded(tmp_path / 'net')
    raw = raw_map(model, golden['image'])
    np.testing.assert_allclose(raw[0].numpy(), golden['raw'], rtol=0, atol=1e-4)

    attributes = raw.unflatten(1, (5, 25))
    activated = attributes.clone()
    activated[:, :, [0, 1, 4]] = attributes[:, :, [0, 1, 4]].sigmoid()
    activated[:, :, 5:] = attributes[:, :, 5:].softmax(dim=2)
    expected = golden['activated'].reshape(activated.shape)
    np.testing.assert_allclose(activated.numpy(), expected, rtol=0, atol=1e-4)

    cfg = Config(dict(model.test_cfg) | dict(score_thr=0.1))
    found = model.bbox_head.predict_by_feat([raw], [META], cfg=cfg)[0]
    boxes = found.bboxes
    rows = torch.cat(
        [
            found.labels[:, None],
            found.scores[:, None],
            (boxes[:, :2] + boxes[:, 2:]) / 2,
            boxes[:, 2:] - boxes[:, :2],
        ],
        dim=1,
    ).numpy()
    wanted = golden['detections']
    rows, wanted = (each[np.lexsort(each.round(2).T[::-1])] for each in (rows, wanted))
    np.testing.assert_allclose(rows, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('network', ['tiny-yolov2-trial3', 'tiny-yolov2-trial3-noBatch'])
def test_import_and_export_give_the_same_bytes(network, shared_dir, tmp_path):
    source = shared_dir / f'data/darknet/{network}'
    name = tmp_path / 'net'
    import_network(source.with_suffix('.cfg'), source.with_suffix('.weights'), name)
    files = name.with_suffix('.py'), name.with_suffix('.pth')
    cfg, weights = export_network(*files, tmp_path / 'back')
    assert weights.read_bytes() == source.with_suffix('.weights').read_bytes()
    import_network(cfg, weights, tmp_path / 'again')
    again = export_network(tmp_path / 'again.py', tmp_path / 'again.pth', tmp_path / 'third')
    assert [each.read_bytes() for each in again] == [cfg.read_bytes(), weights.read_bytes()]


def test_ap_on_real_images_is_that_of_opencvs_maps(shared_dir, tmp_path):
    source = shared_dir / 'data/darknet/tiny-yolov2-trial3'
    files = source.with_suffix('.cfg'), source.with_suffix('.weights')
    import_network(*files, tmp_path / 'net')
    model, config = loaded(tmp_path / 'net')
    root = shared_dir / 'data/voc_sample'
    names = sorted(path.stem for path in (root / 'VOC2012/Annotations').glob('*.xml'))
    (tmp_path / 'sample.txt').write_text('\n'.join(names))
    dataset = dict(
        config.test_dataloader.dataset,
        data_root=str(root),
        ann_file=str(tmp_path / 'sample.txt'),
        data_prefix=dict(sub_data_root='VOC2012/'),
    )
    dataset = DATASETS.build(dataset)
    metrics = [
        METRICS.build(dict(type='VOCMetric', metric='mAP', eval_mode='area')) for _ in range(2)
    ]
    for metric in metrics:
        metric.dataset_meta = dataset.metainfo
    assert len(dataset) == 50
    for sample in dataset:
        data = model.data_preprocessor(pseudo_collate([sample]), training=False)
        image = data['inputs'].numpy()[0]
        maps = raw_map(model, image), torch.from_numpy(opencv_map(files, image))
        for raw, metric in zip(maps, metrics, strict=True):
            (data_sample,) = data['data_samples']
            meta = data_sample.metainfo
            found = model.bbox_head.predict_by_feat([raw], [meta], rescale=True)[0]
            result = data_sample.clone()
            result.pred_instances = found
            metric.process({}, [result.to_dict()])
    ours, opencvs = (metric.evaluate(len(dataset))['pascal_voc/mAP'] for metric in metrics)
    assert ours > 0.3
    assert abs(ours - opencvs) < 0.001


NETWORKS = {
    'poolings of three and five': [
        *(conv(8), pool(3), conv(8), pool(5, 1), conv(12), pool(3, 2, padding=1)),
        *(conv(12, 1, 0, 'linear'), region(2, 1)),
    ],
    'an odd pooling with leaky layers alone': [
        *(conv(8), pool(3), conv(8), pool(3, 1), conv(12), pool(5, 2)),
        *(conv(12, 1, 0, 'linear'), region(2, 1)),
    ],
    'groups': [
        *(conv(8), pool(), conv(12, groups=2), pool(), conv(12, groups=12)),
        *(conv(12, 1, 0, 'linear'), region(2, 1)),
    ],
    'a passthrough, another width': [
        *(conv(8), pool(), conv(12), pool(), conv(16), pool(), conv(24), conv(20, 1)),
        *(route(-4), conv(8, 1), section('reorg', stride=2), route(-1, -4)),
        *(conv(16), conv(3 * 7, 1, 0, 'linear'), region(3, 2)),
    ],
    'a shortcut and strided convolutions': [
        *(conv(8, stride=2), conv(16, stride=2), conv(8, 1), conv(16)),
        shortcut(-3),
        *(pool(), conv(14, 3, 0, 'leaky'), conv(2 * 6, 1, 0, 'linear'), region(2, 1)),
    ],
    'an upsampled map': [
        *(conv(8), pool(), conv(8), pool(), conv(16, 3, 1, 'linear')),
        *(section('upsample', stride=2), route(-1, -4), conv(10)),
        *(conv(12, 1, 0, 'linear'), region(2, 1)),
    ],
    'a pool that keeps the size': [
        *(conv(6), pool(), conv(8), pool(2, 1), conv(8, 1)),
        *(conv(12, 1, 0, 'linear'), region(2, 1)),
    ],
}


@pytest.mark.parametrize('network', NETWORKS)
def test_any_network_gives_opencvs_map(network, tmp_path):
    rng = np.random.default_rng(0)
    files = write_random([net(96, 64), *NETWORKS[network]], tmp_path / 'net', rng)
    import_network(*files, tmp_path / 'imported')
    model, _ = loaded(tmp_path / 'imported')
    assert model.bbox_head.images_seen.item() == 123456789012
    image = rng.random((3, 64, 96), dtype=np.float32)
    raw = raw_map(model, image).numpy()
    np.testing.assert_allclose(raw, opencv_map(files, image), rtol=1e-4, atol=1e-4)
    exported = export_network(
        tmp_path / 'imported.py', tmp_path / 'imported.pth', tmp_path / 'back'
    )
    assert exported[1].read_bytes() == files[1].read_bytes()
    np.testing.assert_allclose(opencv_map(exported, image), raw, rtol=1e-4, atol=1e-4)


def test_yolov2_voc_of_our_own_exporter_is_opencvs(tmp_path):
    model = build(
        dict(
            type='SingleStageDetector',
            backbone=dict(type='Darknet19'),
            neck=dict(type='PassthroughNeck'),
            bbox_head=dict(type='YOLOV2Head', num_classes=20, in_channels=1024),
        )
    ).eval()
    model.init_weights()
    described = describe(model)
    sections = [net(96, 64), *(each.section for each in described)]
    files = tmp_path / 'net.cfg', tmp_path / 'net.weights'
    write_cfg(files[0], sections)
    arrays = to_arrays(described, model.state_dict())
    write_weights(files[1], Header(), follow(sections), arrays)
    # yolov2-voc.weights has as many numbers: 50,676,061 of which 4 bytes each, and the header.
    assert files[1].stat().st_size == 20 + 4 * sum(
        each.size for layer in arrays.values() for each in layer.values()
    )
    image = np.random.default_rng(0).random((3, 64, 96), dtype=np.float32)
    expected = raw_map(model, image).numpy()
    np.testing.assert_allclose(opencv_map(files, image), expected, rtol=1e-3, atol=1e-4)
    import_network(*files, tmp_path / 'again')
    again, config = loaded(tmp_path / 'again')
    assert (config.model.backbone.type, config.model.neck.type) == ('Darknet19', 'PassthroughNeck')
    np.testing.assert_allclose(raw_map(again, image).numpy(), expected, rtol=1e-3, atol=1e-4)


def test_yolov3_gives_opencvs_maps(tmp_path):
    plain = get_config(YOLOV3_CONFIG).model.to_dict()
    plain['backbone']['init_cfg'] = None
    sections = [net(96, 64), *(each.section for each in describe(build(plain)))]
    files = write_random(sections, tmp_path / 'net', np.random.default_rng(0))
    import_network(*files, tmp_path / 'imported')
    model, _ = loaded(tmp_path / 'imported')
    image = np.random.default_rng(1).random((3, 64, 96), dtype=np.float32)
    with torch.no_grad():
        (maps,) = model.bbox_head(model.extract_feat(torch.from_numpy(image)[None]))
    layers = follow(sections)
    before = [layer.index - 1 for layer in layers if layer.kind == 'yolo']
    assert [tuple(each.shape[1:]) for each in maps] == [(255, 2, 3), (255, 4, 6), (255, 8, 12)]
    for raw, index in zip(maps, before, strict=True):
        expected = opencv_map(files, image, f'conv_{index}')
        np.testing.assert_allclose(raw.numpy(), expected, rtol=1e-3, atol=1e-3 * expected.std())


@pytest.mark.parametrize('head', ['region', 'yolo'])
def test_letterboxed_detections_return_to_the_image(head, tmp_path):
    # A canvas of 64 x 64 px with an image of 128 x 64 px on it, at half its size from row 16 on.
    meta = dict(img_shape=(64, 64), ori_shape=(64, 128), scale_factor=(0.5, 0.5), letterbox=(0, 16))
    if head == 'region':
        model = build(dict(type='YOLOV2Head', num_classes=2, in_channels=4))
        maps = [torch.zeros(1, 5 * 7, 2, 2)]
    else:
        model = build(dict(type='LRMYOLOV3Head', num_classes=2, in_channels=(4, 4, 4)))
        maps = [torch.zeros(1, 3 * 7, size, size) for size in (2, 4, 8)]
    cfg = Config(dict(score_thr=0, nms=dict(type='nms', iou_threshold=1.0), max_per_img=999))
    inside, back = (
        model.predict_by_feat(maps, [meta], cfg=cfg, rescale=rescale)[0]
        for rescale in (False, True)
    )
    moved = (inside.bboxes - torch.tensor([0.0, 16, 0, 16])) * 2
    torch.testing.assert_close(back.bboxes, moved)
