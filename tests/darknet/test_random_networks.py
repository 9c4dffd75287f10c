"""Random networks of every layer: import, our layers and export against OpenCV."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from random_networks import opencv_map, random_sections, write_random

from mmdet_lrm.darknet.files import export_network, import_network

# Of 400 seeds those after which no option of a layer, and no pooling, is new.
OTHERS = (61, 113, 115, 118, 119, 121, 159, 180, 200, 204, 212, 232, 254, 257)
OTHERS += (280, 281, 292, 294, 305, 325, 395)
SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (*range(10, 60), *OTHERS)]


@pytest.mark.parametrize('seed', [*range(10), *SLOW])
def test_a_random_network_gives_opencvs_map_and_the_same_bytes(seed, tmp_path):
    rng = np.random.default_rng(seed)
    sections = random_sections(rng)
    files = write_random(sections, tmp_path / 'net', rng)
    shape = [int(sections[0].options[key]) for key in ('channels', 'height', 'width')]
    image = rng.random(shape, dtype=np.float32)
    expected = opencv_map(files, image)

    import_network(*files, tmp_path / 'in')
    model = MODELS.build(Config.fromfile(tmp_path / 'in.py').model).eval()
    model.load_state_dict(torch.load(tmp_path / 'in.pth')['state_dict'])
    with torch.no_grad():
        ((raw,),) = model.bbox_head(model.extract_feat(torch.from_numpy(image)[None]))
    np.testing.assert_allclose(raw.numpy(), expected, rtol=0, atol=1e-3 * expected.std())

    exported = export_network(tmp_path / 'in.py', tmp_path / 'in.pth', tmp_path / 'out')
    assert exported[1].read_bytes() == files[1].read_bytes()
    np.testing.assert_allclose(opencv_map(exported, image), expected, rtol=0, atol=1e-5)
