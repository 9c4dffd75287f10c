"""The tries of one reader, in a process of its own; see fuzz.py."""

import json
import os
import random
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None

SAVED_EVERY = 1000
# A file in memory takes a tenth of the time of one on a disk.
SCRATCH = '/dev/shm' if os.path.isdir('/dev/shm') else None


class Trial:
    """One reader's tries: how many so far, and the first input of each kind of fault."""

    def __init__(self, name: str, folder: Path, tries: int, seconds: float) -> None:
        from parsers import PARSERS  # here, where atheris watches what is imported

        self.parser, self.file = PARSERS[name], folder / f'{name}.json'
        self.found = so_far(name, folder)
        self.faulty, self.tries = folder / f'{name}-faults', tries
        self.begin = time.monotonic() - self.found['seconds']
        self.end = time.monotonic() + seconds
        self.scratch = tempfile.TemporaryDirectory(dir=SCRATCH)
        self.path = Path(self.scratch.name, 'input')

    def __call__(self, content: bytes) -> None:
        """Try one; the process ends when all are tried."""
        self.path.write_bytes(content)
        try:
            self.parser.read(self.path)
        except self.parser.errors:
            pass
        except Exception as error:
            self.keep(error, content)
        self.found['tries'] += 1
        over = self.found['tries'] >= self.tries or time.monotonic() > self.end
        if over or self.found['tries'] % SAVED_EVERY == 0:
            self.save()
        if over:
            self.scratch.cleanup()
            os._exit(0)  # libFuzzer has no other end

    def keep(self, error: Exception, content: bytes) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = f'{type(error).__name__} at {Path(place.filename).name}:{place.lineno}'
        faults = self.found['faults']
        if kind not in faults:
            self.faulty.mkdir(exist_ok=True)
            (self.faulty / str(len(faults))).write_bytes(content)
        faults[kind] = faults.get(kind, 0) + 1

    def save(self) -> None:
        self.found['seconds'] = round(time.monotonic() - self.begin, 1)
        part = self.file.with_suffix('.part')
        part.write_text(json.dumps(self.found))
        part.replace(self.file)


def guided(trial: Trial, corpus: Path) -> None:
    options = ['-verbosity=0', '-max_len=8192', '-timeout=30', '-rss_limit_mb=4096']
    atheris.Setup([sys.argv[0], str(corpus), *options], trial)
    atheris.Fuzz()


def unguided(trial: Trial, corpus: Path) -> None:
    rng = random.Random(trial.found['tries'])
    while True:
        trial(mutated(rng.choice(trial.parser.inputs), rng))


def mutated(content: bytes, rng: random.Random) -> bytes:
    """With one to four pieces removed, repeated, or replaced by a few bytes."""
    for _ in range(rng.randint(1, 4)):
        first, last = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        piece = content[first:last]
        other = rng.choice([b'', piece * 2, rng.randbytes(rng.randint(1, 8))])
        content = content[:first] + other + content[last:]
    return content


def try_reader(name: str, folder: Path, tries: int, seconds: float) -> None:
    """In a process of its own, which ends when the tries are over."""
    with atheris.instrument_imports(include=['mmdet_lrm']) if atheris else nullcontext():
        trial = Trial(name, folder, tries, seconds)
    corpus = folder / name
    corpus.mkdir(exist_ok=True)
    for number, content in enumerate(trial.parser.inputs):
        (corpus / f'whole-{number}').write_bytes(content)
    (guided if atheris else unguided)(trial, corpus)


def so_far(name: str, folder: Path) -> dict:
    """What a folder of tries has of a reader."""
    file = folder / f'{name}.json'
    return json.loads(file.read_text()) if file.exists() else dict(tries=0, seconds=0.0, faults={})
