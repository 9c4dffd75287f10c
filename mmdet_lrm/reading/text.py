"""One reader of text for every format here: labels, lists of splits, names, ``.cfg``."""

import codecs
import warnings
from os import PathLike
from pathlib import Path

# By which a file says that it is of another encoding than UTF-8; UTF-32's begins with UTF-16's.
FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: 'UTF-32',
    codecs.BOM_UTF32_BE: 'UTF-32',
    codecs.BOM_UTF16_LE: 'UTF-16',
    codecs.BOM_UTF16_BE: 'UTF-16',
}


class TextError(ValueError):
    """A file whose bytes are no text; the message names the file, the encoding and the byte."""


def read_text(path: str | PathLike, fallback: str | None = None) -> str:
    r"""The text of a UTF-8 file without its byte-order mark; all ends of lines become ``\n``.

    Take its lines by ``split('\n')``: ``splitlines`` also breaks at characters within a line.

    Args:
        path: of the file.
        fallback: encoding of a file that is not UTF-8, used with a warning. Default: none.

    Raises:
        OSError: the file cannot be read.
        TextError: it is not UTF-8, nor of the ``fallback`` if one is given.
    """
    data = Path(path).read_bytes()
    for mark, encoding in FOREIGN_MARKS.items():
        if data.startswith(mark):
            raise TextError(f'{path} begins with the mark of {encoding}; save it as UTF-8')
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        # The decoder counts from behind the mark.
        at = error.start + (len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
        fault = f'{path} is not UTF-8: byte 0x{data[at]:02x} at offset {at}'
        if fallback is None:
            raise TextError(f'{fault}; save it as UTF-8') from None
        try:
            text = data.decode(fallback)
        except UnicodeDecodeError as other:
            raise TextError(
                f'{fault}; nor is it {fallback}: byte 0x{data[other.start]:02x} at offset '
                f'{other.start}. Save it as UTF-8'
            ) from None
        warnings.warn(f'{fault}; it was read as {fallback}', stacklevel=2)
    return text.replace('\r\n', '\n').replace('\r', '\n')
