"""A page that one file holds: headings, tables and pictures, without a network or a program."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment


@dataclass(frozen=True)
class Text:
    """A paragraph, and a list below it."""

    text: str
    listed: Sequence[str] = ()
    kind: str = 'text'


@dataclass(frozen=True)
class Table:
    caption: str
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The first cell names the row; lines of a cell are told apart by newlines."""
    words: bool = False
    """Whether cells hold words, not numbers."""
    kind: str = 'table'


@dataclass(frozen=True)
class Picture:
    content: bytes
    """Of a PNG or JPEG file."""
    alt: str
    """What is to be seen, for who does not see it."""
    caption: str = ''

    @property
    def source(self) -> str:
        kind = 'png' if self.content.startswith(b'\x89PNG') else 'jpeg'
        return f'data:image/{kind};base64,{base64.b64encode(self.content).decode()}'


@dataclass(frozen=True)
class Pictures:
    """Side by side, as many as the width allows."""

    pictures: Sequence[Picture]
    size: str = ''
    """'pairs': two at most; 'large': one, as wide as the page."""
    kind: str = 'pictures'


@dataclass(frozen=True)
class Section:
    title: str
    parts: Sequence[Text | Table | Pictures]

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(' ', '-')


# The policy lets a browser load nothing that is not in the file.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;
  max-width: 68rem; padding: 0 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid #999; }
nav { font-size: .9rem; }
nav a { display: inline-block; margin-right: .9rem; color: #005a8f; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.caption { font-size: .9rem; color: #444; margin: 1.2rem 0 .3rem; break-after: avoid; }
.scroll { margin-top: 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ccc; text-align: right;
  vertical-align: top; white-space: pre; }
th { border-bottom-color: #666; font-weight: 600; }
thead th { white-space: normal; vertical-align: bottom; }
th:first-child { text-align: left; white-space: normal; min-width: 7rem; max-width: 20rem;
  overflow-wrap: break-word; }
tbody th { font-weight: 400; border-bottom-color: #ccc; }
.words td { text-align: left; min-width: 12rem; white-space: pre-line; overflow-wrap: anywhere; }
.grid { display: grid; gap: 1rem; align-items: start; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
.grid.pairs { grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.grid.large { grid-template-columns: 1fr; overflow-x: auto; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-size: .85rem; color: #444; }
img { display: block; width: 100%; max-width: 34rem; height: auto; }
.large img { max-width: 100%; min-width: 36rem; }
@media print { body { max-width: none; font-size: 10pt; } nav { display: none; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } .scroll, .large { overflow: visible; }
  .large img { min-width: 0; } }
</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
<nav aria-label="parts">
{%- for each in sections %}
<a href="#{{ each.anchor }}">{{ each.title }}</a>
{%- endfor %}
</nav>
</header>
<main>
{%- for section in sections %}
<section id="{{ section.anchor }}" aria-labelledby="h-{{ section.anchor }}">
<h2 id="h-{{ section.anchor }}">{{ section.title }}</h2>
{%- for part in section.parts %}
{%- if part.kind == 'text' %}
<p>{{ part.text }}</p>
{%- if part.listed %}
<ul>{% for each in part.listed %}<li>{{ each }}</li>{% endfor %}</ul>
{%- endif %}
{%- elif part.kind == 'table' %}
<p class="caption" id="{{ section.anchor }}-{{ loop.index }}">{{ part.caption }}</p>
<div class="scroll{{ ' words' if part.words }}" role="region" tabindex="0"
  aria-labelledby="{{ section.anchor }}-{{ loop.index }}">
<table aria-labelledby="{{ section.anchor }}-{{ loop.index }}">
<thead><tr>{% for each in part.titles %}<th scope="col">{{ each }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in part.rows %}
<tr><th scope="row">{{ row[0] }}</th>{% for each in row[1:] %}<td>{{ each }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
</table>
</div>
{%- else %}
<div class="grid {{ part.size }}">
{%- for each in part.pictures %}
<figure><img src="{{ each.source }}" alt="{{ each.alt }}">
{%- if each.caption %}<figcaption>{{ each.caption }}</figcaption>{% endif %}</figure>
{%- endfor %}
</div>
{%- endif %}
{%- endfor %}
</section>
{%- endfor %}
</main>
</body>
</html>
"""


def render(title: str, sections: Sequence[Section]) -> str:
    """The page as HTML; sections without parts are left out."""
    template = Environment(autoescape=True).from_string(PAGE)
    return template.render(title=title, sections=[each for each in sections if each.parts])
