import runpy
import sys
from pathlib import Path

import pytest
from mmdet.apis import DetInferencer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def darknet(monkeypatch):
    """Run tools/darknet.py with these arguments."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['darknet.py', *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools/darknet.py'), run_name='__main__')

    return run


def test_the_inferencer_takes_what_is_imported_at_once(darknet, shared_dir, tmp_path, capsys):
    source = shared_dir / 'data/darknet/tiny-yolov2-trial3'
    name = tmp_path / 'tiny'
    darknet('import', source.with_suffix('.cfg'), source.with_suffix('.weights'), '--out', name)
    output = capsys.readouterr().out
    assert 'verified on a random image against OpenCV: the maps differ by ' in output
    assert 'wrote' in output
    images = sorted((shared_dir / 'data/voc_sample/VOC2012/JPEGImages').glob('*.jpg'))[:3]
    inferencer = DetInferencer(
        model=str(name.with_suffix('.py')),
        weights=str(name.with_suffix('.pth')),
        device='cpu',
        show_progress=False,
    )
    classes = inferencer.visualizer.dataset_meta['classes']
    found = inferencer(list(map(str, images)))['predictions']
    # People, two aeroplanes, and a train, as the pictures show.
    best = [classes[each['labels'][0]] for each in found]
    assert best == ['person', 'aeroplane', 'train']
    darknet('export', name.with_suffix('.py'), name.with_suffix('.pth'), '--out', tmp_path / 'back')
    exported = (tmp_path / 'back.weights').read_bytes()
    assert exported == source.with_suffix('.weights').read_bytes()


def test_an_error_is_one_line_and_leaves_nothing(darknet, tmp_path):
    (tmp_path / 'net.cfg').write_text('[net]\nwidth=32\nheight=32\n[gru]\n')
    with pytest.raises(SystemExit, match=r'error: .*line 4: \[gru\] is not supported'):
        darknet('import', tmp_path / 'net.cfg', tmp_path / 'none', '--out', tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))


def test_a_word_on_an_encoding_is_one_line_and_no_error(darknet, shared_dir, tmp_path, capsys):
    source = shared_dir / 'data/darknet/tiny-yolov2-trial3'
    names = tmp_path / 'my.names'
    names.write_bytes('\n'.join(f'é {index}' for index in range(20)).encode('latin-1'))
    files = source.with_suffix('.cfg'), source.with_suffix('.weights')
    arguments = ('--out', tmp_path / 'out', '--names', names, '--no-verify')
    darknet('import', *files, *arguments)
    output, errors = capsys.readouterr()
    assert (
        f'warning: {names} is not UTF-8: byte 0xe9 at offset 0; it was read as latin-1\n' in errors
    )
    assert output.startswith('not verified\n')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'error: the config .* is not a file'),
        ('model = (', 'error: .* cannot be read as a config'),
        ('a = 1', 'error: .* has no model'),
    ],
)
def test_a_config_that_is_none_is_one_line(darknet, tmp_path, text, message):
    config = tmp_path / 'config.py'
    if text:
        config.write_text(text)
    with pytest.raises(SystemExit, match=message):
        darknet('export', config, tmp_path / 'none.pth', '--out', tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))
