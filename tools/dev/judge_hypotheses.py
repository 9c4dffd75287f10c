"""What came of the hypotheses of configs/studies/confirmation.md: a table of README and results.

python tools/dev/judge_hypotheses.py
    judges them by the records of their studies, and prints
python tools/dev/judge_hypotheses.py --render
    writes the table into the documents

Records are results/NAME.json, or those parts of it in results/parts that are finished.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from written_tables import put_table

from mmdet_lrm.study import tables
from mmdet_lrm.study.records import Record, records_of
from mmdet_lrm.study.statistics import Difference

ROOT = Path(__file__).parents[2]
DOCUMENTS = ('README.md', 'docs/results.md')
NAME, OF_ROOM = 'hypotheses', 'what there was to gain'
VARIANT = 'hard_ratio=0.05 nms_iou_thr=0.7'
CONFIRMED, REFUTED, SMALL = 'confirmed', 'refuted', 'too small to tell'
SEEDS, OPEN = 5, 'open'  # with fewer


@dataclass(frozen=True)
class Hypothesis:
    """Of the difference of :data:`VARIANT` to its baseline in a metric, in percentage points.

    Attributes:
        gain: it is confirmed with an interval above 0, or above the gain where that is below, whose
            middle is the gain at least; refuted with an interval below the gain.
        falls_with: name of another, which refuted refutes this one.
    """

    name: str
    claim: str
    study: str
    metric: str
    gain: float
    falls_with: str = ''


HYPOTHESES = (
    Hypothesis('H1', 'it gains 1 AP on red cells, which touch', 'bloodpbc', 'voc/RBC_AP', gain=1.0),
    Hypothesis('H2', 'it loses no more than 2 AP on platelets, the rarest class', 'bloodpbc',
               'voc/Platelets_AP', gain=-2.0),
    Hypothesis('H3', 'it gains 1 AP in another domain, on fish', 'aquarium', 'voc/fish_AP', 1.0),
    Hypothesis('H4', 'it gains on red cells at IoU .75 too', 'bloodpbc', 'voc75/RBC_AP', gain=0.0,
               falls_with='H1'),
)  # fmt: skip

TOUCHING = {'bloodpbc': 'RBC', 'aquarium': 'fish'}  # by study, its class of H1 and H3
ROOM = {
    'mean AP of all classes': 'voc/mAP',
    'AP without a neighbour': 'errors/crowd/{}/0',
    'AP with one': 'errors/crowd/{}/1',
    'AP with two': 'errors/crowd/{}/2',
    'found': 'errors/count/found',
    'doubles': 'errors/count/duplicate',
    'errors of localisation': 'errors/count/localisation',
    'false alarms on background': 'errors/count/background',
    'of these, between objects': 'errors/count/between',
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--render', action='store_true', help='write the table into the documents')
    args = parser.parse_args()
    if not args.render:
        print(written()[0][2])
        return
    for document, name, made in written():
        put_table(name, made.splitlines(), ROOT / document)


def written() -> list[tuple[str, str, str]]:
    """Documents, and the names and the text of the tables in them."""
    records = {each.study: records_of(each.study, ROOT / 'results') for each in HYPOTHESES}
    room = DOCUMENTS[1], OF_ROOM, room_to_gain(records)
    return [*((each, NAME, table(records)) for each in DOCUMENTS), room]


def table(records: dict[str, list[Record]]) -> str:
    """A row a hypothesis, of records by study."""
    rows, verdicts = [], {}
    for each in HYPOTHESES:
        of, told = records[each.study], [''] * 3
        if found := difference(of, each.metric):
            told = [str(found.pairs), baseline_in(of, each.metric), tables.interval(found)]
        verdict = verdicts[each.name] = judge(each, found, verdicts)
        rows.append([each.name, each.claim, *told, verdict])
    titles = ['', 'claimed beforehand', 'seeds', 'baseline', 'difference in AP', 'verdict']
    return tables.typeset(titles, rows, texts=2)


def room_to_gain(records: dict[str, list[Record]]) -> str:
    """What was left to the baseline, and changed by mining, of records by study."""
    rows = []
    for what, metric in ROOM.items():
        rows.append([what])
        for study, touching in TOUCHING.items():
            of = records[study], metric.format(touching)
            rows[-1] += [baseline_in(*of), tables.interval(difference(*of))]
    titles = [title for study in TOUCHING for title in (f'{study}: baseline', 'difference')]
    return tables.typeset(['', *titles], rows)


def baseline_in(records: Sequence[Record], metric: str) -> str:
    runs = {each.seed: each for each in records if each.baseline is None}
    return tables.spread(tables.values(runs, metric, sorted(runs)))


def difference(records: Sequence[Record], metric: str) -> Difference | None:
    """Of :data:`VARIANT` to its baseline on the seeds that both have; None without any."""
    pair = [each for each in records if each.label == VARIANT or each.baseline is None]
    methods = tables.by_label(pair)
    if len(methods) < 2 or not set.intersection(*map(set, methods.values())):
        return None
    return tables.differences(methods, metric)[VARIANT]


def judge(of: Hypothesis, found: Difference | None, verdicts: dict[str, str]) -> str:
    """As the plan's table of verdicts, by those of the hypotheses before."""
    if found is None or found.pairs < SEEDS:
        return OPEN
    if found.high < of.gain:
        return REFUTED
    if verdicts.get(of.falls_with) == REFUTED:
        return f'{REFUTED} with {of.falls_with}'
    if found.low > min(of.gain, 0.0) and found.mean >= of.gain:
        return CONFIRMED
    return SMALL


if __name__ == '__main__':
    main()
