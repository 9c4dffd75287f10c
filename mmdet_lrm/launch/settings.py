"""KEY=VALUE arguments of a command line: the settings that replace those of a config."""

import argparse
import ast
import re

from mmengine.config import DictAction

BESIDE = re.compile(r'(?<=[,([])\s+|\s+(?=[,)\]])')  # blanks between values
WORDS = {'true': True, 'false': False}  # beside Python's own, as MMEngine reads them


class Settings(DictAction):
    """MMEngine's KEY=VALUE arguments, and dicts; what is no value shows the usage."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: list[str],
        option_string: str | None = None,
    ) -> None:
        settings = dict(getattr(namespace, self.dest) or {})
        for each in values:
            key, equals, text = each.partition('=')
            if not (key and equals):
                parser.error(f"{option_string} got '{each}'; it must be KEY=VALUE, without blanks")
            if any(text.count(left) != text.count(right) for left, right in ('()', '[]', '{}')):
                parser.error(f"{option_string} got '{each}', whose brackets do not match")
            try:
                settings[key] = parse_value(text)
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                parser.error(
                    f"{option_string} got '{each}', whose value cannot be read; a list is "
                    'key="[a,b]" or key=a,b, a dict is key="dict(a=1, b=\'text\')"'
                )
        setattr(namespace, self.dest, settings)


def parse_value(text: str) -> object:
    """The value that a text stands for: MMEngine's, or with ``dict(...)`` or ``{...}`` Python's.

    Nothing is run. Words without quotation marks are texts, as MMEngine has them. Blanks within a
    text, which MMEngine takes out, stay; within brackets such a text needs its quotation marks.

    Raises:
        ValueError, SyntaxError, TypeError, RecursionError, MemoryError: it stands for none.
    """
    text = text.strip()
    if not re.search(r'\bdict\(|\{', text):
        tight = text if re.search('[\'"]', text) else BESIDE.sub('', text)
        if not re.search(r'\s', tight):
            return DictAction._parse_iterable(tight)
        if text[0] not in '[(\'"':  # words, and lists of words
            words = [_word(each.strip()) for each in text.split(',')]
            return words[0] if len(words) == 1 else words
    node = ast.parse(text, mode='eval').body
    # a,b is a list, as MMEngine has it; (a,b), which begins before its first element, a tuple
    bare = isinstance(node, ast.Tuple) and node.col_offset == node.elts[0].col_offset
    value = ast.literal_eval(_Literals().visit(node))
    if isinstance(value, str) and text[0] == '(':  # one in brackets, a tuple to MMEngine
        return (value,)
    if isinstance(value, str):  # quotation marks around the whole, which MMEngine takes off too
        return parse_value(value)
    return list(value) if bare else value


def _word(text: str) -> object:
    return text if re.search(r'\s', text) else DictAction._parse_iterable(text)


class _Literals(ast.NodeTransformer):
    """``dict(a=1)`` becomes ``{'a': 1}``, and a bare word a text."""

    def visit_Call(self, node: ast.Call) -> ast.Dict:
        names = [each.arg for each in node.keywords]
        if getattr(node.func, 'id', None) != 'dict' or node.args or None in names:
            raise ValueError('a value calls nothing but dict, with keywords')
        return ast.Dict(
            keys=[ast.Constant(name) for name in names],
            values=[self.visit(each.value) for each in node.keywords],
        )

    def visit_Name(self, node: ast.Name) -> ast.Constant:
        return ast.Constant(WORDS.get(node.id.lower(), node.id))

    def visit_Set(self, node: ast.Set) -> None:
        raise ValueError('a config holds no sets')
