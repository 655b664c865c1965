"""Tables as programs write them: commas, semicolons, tabs or bars; UTF-8 or UTF-16; any line ends."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from wsseg.errors import InputError

DELIMITERS = (",", "\t", ";", "|")
"""Characters that may separate cells, in the order in which they are tried on the header."""

Row = tuple[int, dict[str | None, str | None]]
"""Line of a row in the file, counted from 1, and its cells by the names of the columns."""


def read_rows(
    path: Path, known: Callable[[Sequence[str]], bool], expected: str
) -> tuple[list[str], list[Row]]:
    """Read a table with a header.

    The cells are separated by the first of `DELIMITERS` with which the header has known columns. Empty lines are
    skipped, and so is the line `sep=;` that Excel reads.

    Args:
        path: The file: UTF-8, or UTF-16 with or without a byte-order mark.
        known: Tells whether a header has the columns that the caller needs.
        expected: What the file should be, for the message.

    Returns:
        The names of the columns, without spaces around them, and the rows.

    Raises:
        InputError: The file is missing, is not text, or names a column twice.
    """
    text = _text(path, expected)
    skipped = 0
    if re.match(r"sep=.\s*[\r\n]", text, re.IGNORECASE):
        text, skipped = re.sub(r"^[^\r\n]*(\r\n|\r|\n)", "", text, count=1), 1
    try:
        delimiter = next(
            (mark for mark in DELIMITERS if known(_header(text, mark))),
            ",",
        )
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        header = [(name or "").strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        rows = [(reader.line_num + skipped, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}); expected {expected}") from error
    for name in header:
        if name and header.count(name) > 1:
            raise InputError(f"{path} has two columns `{name}`; remove one, or name it otherwise")
    return header, [row for row in rows if any(cell for cell in row[1].values())]


def _header(text: str, delimiter: str) -> list[str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return [name.strip() for name in next(iter(reader), [])]


def _text(path: Path, expected: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected {expected}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); expected {expected}") from error
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 ({error}); save it as CSV in UTF-8") from error
    if "\0" in text:
        raise InputError(f"{path} holds zero bytes, so it is no text; save it as CSV in UTF-8")
    return text


def _encoding(content: bytes) -> str:
    """Return the encoding of a text: by its byte-order mark, or UTF-16 where every other byte of its start is 0."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    start = content[:64]
    if len(start) > 3 and not any(start[1::2]) and all(start[::2]):
        return "utf-16-le"
    if len(start) > 3 and not any(start[::2]) and all(start[1::2]):
        return "utf-16-be"
    return "utf-8-sig"
