"""The blocks of code in the documents, and what a line of a shell in them is."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    'README.md',
    'configs/README.md',
    *sorted(f'docs/{path.name}' for path in (ROOT / 'docs').glob('*.md')),
]
BLOCK = re.compile(r'^```(\w+)\n(.*?)^```', re.MULTILINE | re.DOTALL)


def blocks(document: str, *languages: str) -> list[str]:
    found = BLOCK.findall((ROOT / document).read_text())
    return [text for language, text in found if language in languages]


def commands(document: str) -> dict[str, list[str]]:
    """Each command and its words, without comments, continuations and quotes around words."""
    lines = '\n'.join(blocks(document, 'sh', 'bash', 'console', 'shell'))
    found = {}
    for line in lines.replace('\\\n', ' ').splitlines():
        if words := shlex.split(line.removeprefix('$ '), comments=True):
            found[' '.join(words)] = words
    return found
