"""What is measured of speed: its record, its table and its curve."""

import pytest

from mmdet_lrm.study import documents, performance
from mmdet_lrm.study.performance import Curve, Performance, Row

ROW = Row('losses', 'mined', 21.04, 'memory', against='plain', theirs=20.0, ratio=1.052, bar=1.05)
CURVE = Curve([1000, 10_000], {'mining': [0.5, 4.0]})


@pytest.mark.parametrize(
    ('row', 'expected'),
    [
        (ROW, '| mined | 21 ms | plain | 20 ms | 1.05 | ≤ 1.05 | memory |'),
        (
            Row('data', 'image', 12.0, 'decoding', bar=10),
            '| image | **12 ms** |  |  |  | ≤ 10 ms | decoding |',
        ),
        (
            Row('losses', 'a', 3.0, 'b', 'MiB', 'c', 2.0, 1.5, 1.0),
            '| a | 3 MiB | c | 2 MiB | **1.50** | ≤ 1 | b |',
        ),
        (
            Row('losses', 'a', 3.0, 'b', against='c', theirs=2.0, ratio=1.5),
            '| a | 3 ms | c | 2 ms | 1.50 |  | b |',
        ),
    ],
)
def test_a_row_is_bold_where_it_misses_what_is_wanted(row, expected):
    assert performance.line(row) == expected


def test_a_later_run_takes_the_place_of_the_rows_that_it_measured(tmp_path):
    other = Row('losses', 'mined', 5.0, 'memory', against='another', theirs=4.0, ratio=1.25)
    again = Row('losses', 'mined', 1.0, 'memory', against='plain', theirs=2.0, ratio=0.5)
    first = Performance([ROW, other], CURVE, dict(commit='a'))
    both = performance.joined(first, Performance([again], None, dict(commit='b')))
    assert both == Performance([again, other], CURVE, dict(commit='b'))
    performance.write(both, tmp_path / 'x.json')
    assert performance.read(tmp_path / 'x.json') == both


def test_the_curve_is_drawn_in_decades():
    (axes,) = performance.draw(CURVE).axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[1000, 0.5], [10_000, 4.0]]
    assert (axes.get_xscale(), axes.get_yscale(), line.get_label()) == ('log', 'log', 'mining')


def test_a_document_shows_the_rows_of_a_group_and_the_curve(tmp_path):
    for folder in ('results', 'configs/studies', 'docs'):
        (tmp_path / folder).mkdir(parents=True)
    performance.write(Performance([ROW], CURVE), tmp_path / 'results/performance.json')
    text = '<!-- performance: {} -->\n{}<!-- end of performance -->\n![](plots/performance.png)\n'
    document = tmp_path / 'docs/performance.md'
    document.write_text(text.format('losses', ''))
    assert documents.render(document) == [document, tmp_path / 'docs/plots/performance.png']
    shown = document.read_text()
    assert shown == text.format('losses', f'{performance.head()}\n{performance.line(ROW)}\n')
    assert documents.rendered(text.format('data', 'old\n'), document, tmp_path) == text.format(
        'data', f'{performance.head()}\n'
    )
