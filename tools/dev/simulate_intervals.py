"""How often intervals of 95 % miss the true difference: the tables of docs/intervals.md.

python tools/dev/simulate_intervals.py
    simulates and prints them; about a minute
python tools/dev/simulate_intervals.py --render
    writes them into the document
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from interval_simulation import (
    CHOSEN,
    METHODS,
    REPETITIONS,
    SEEDS,
    VARIANTS,
    Condition,
    Outcome,
    conditions,
    measure,
)
from written_tables import around_table, put_table

DOCUMENT = Path(__file__).parents[2] / 'docs' / 'intervals.md'
NAME = 'simulated intervals'
# Of each condition: outcomes by method, and how often any of the chosen method's misses.
Outcomes = dict[Condition, tuple[dict[str, Outcome], float]]
HOLDS = 4, 6  # percent of misses that an interval of 95 % may have here


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--render', action='store_true', help='write the tables into the document')
    args = parser.parse_args()
    if args.render:
        try:
            around_table(NAME, DOCUMENT)  # before a minute of work
        except ValueError as error:
            parser.error(str(error))
    outcomes = {each: measure(each, REPETITIONS) for each in conditions()}
    tables = f'{misses_table(outcomes)}\n{power_table(outcomes)}'
    if args.render:
        put_table(NAME, tables.splitlines(), DOCUMENT)
    else:
        print(tables)


def misses_table(outcomes: Outcomes) -> str:
    """A row for each kind of noise and number of variants: the range over seeds and places."""
    lines = header('noise over seeds', 'variants', *METHODS, f'{CHOSEN}, any of all')
    rows: dict[tuple[str, int], list] = {}
    for condition, outcome in outcomes.items():
        bound = ', at the bound' if condition.place == 'at the bound' else ''
        rows.setdefault((condition.noise + bound, condition.variants), []).append(outcome)
    for (noise, variants), found in rows.items():
        columns = [[methods[name].misses for methods, _ in found] for name in METHODS]
        columns.append([any_misses for _, any_misses in found])
        cells = [span(column, high_only=column is columns[-1]) for column in columns]
        lines.append(f'| {noise} | {variants} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def header(*titles: str) -> list[str]:
    return [f'| {" | ".join(titles)} |', '| --- |' + ' ---: |' * (len(titles) - 1)]


def span(percents: list[float], high_only: bool) -> str:
    """From the lowest to the highest, bold outside what holds."""
    low, high = min(percents), max(percents)
    text = f'{low:.1f} to {high:.1f}'
    return text if (high_only or low >= HOLDS[0]) and high <= HOLDS[1] else f'**{text}**'


def power_table(outcomes: Outcomes) -> str:
    """A row for each number of seeds and of variants, if several: means over the noise, inside."""
    lines = header('seeds', 'variants', *METHODS)
    for seeds, variants in product(SEEDS, VARIANTS[1:]):
        found = [
            methods
            for condition, (methods, _) in outcomes.items()
            if condition[1:] == (variants, seeds, 'inside')
        ]
        cells = []
        for name in METHODS:
            seen = np.mean([methods[name].sees_gain for methods in found])
            width = np.mean([methods[name].width for methods in found])
            cells.append(f'{seen:.0f} %, {width:.1f}' if np.isfinite(width) else 'none')
        lines.append(f'| {seeds} | {variants} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    main()
