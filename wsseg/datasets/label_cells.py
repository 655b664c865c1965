"""Cells of labels as people write them: by spaces, semicolons, bars, commas, or as lists; and words for nothing."""

import ast
import re
import unicodedata
import warnings
from collections.abc import Collection, Mapping, Sequence

from wsseg.class_names import BACKGROUND_NAMES
from wsseg.errors import InputError

SEPARATORS = (";", "|", ",")
"""Characters that separate labels if a cell of the file has one; the first of them that occurs."""

NOTHING = frozenset(
    {"none", "nan", "null", "na", "n/a", "<na>", "nil", "nothing", "empty", "-", "--", *BACKGROUND_NAMES}
)
"""Words of cells without a label, in lower case, as people and tables write them."""

NOTHING_FOUND = re.compile(
    r"no[ _-](findings?|objects?|labels?|class|classes|annotations?|defects?)", re.IGNORECASE
)
"""Further such words, of several words each."""

NOT_KNOWN = frozenset({"?", "??", "unknown", "unk", "unlabelled", "unlabeled", "todo", "tbd"})
"""Words that say that nobody knows the labels, in lower case."""

UNSPLIT = re.compile(r"[,|;/\\+&:{}\[\]\"<>=]")
"""Characters that a label seldom has, and a cell that was not split often."""

ODD = "!\"#$%&'*+,-./:;<=>?@[\\]^`{|}~\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e"
"""Characters with which no name begins or ends."""

HOW = "separate labels by semicolons, as in `cat; dog`"


def labels_of_cells(
    cells: Sequence[str], classes: Collection[str] = (), single: bool = False
) -> list[tuple[str, ...]]:
    """Return the labels of each cell of a file.

    All cells are split in one way: at semicolons, bars or commas if any cell has one, else at spaces. A cell may also
    be a list in brackets. A cell that is empty, or one of `NOTHING` alone, has no label.

    Args:
        cells: The cells of the column.
        classes: Names that are labels whatever they look like.
        single: Whether spaces do not separate labels, as in tables with a row per object.

    Returns:
        Labels, each once per cell, in the order of the cell.

    Example:
        >>> labels_of_cells(["cat|dog", "red fox", "none", ""])
        [('cat', 'dog'), ('red fox',), (), ()]
        >>> labels_of_cells(["['cat', 'dog']", "[]"]), labels_of_cells(["cat dog"])
        ([('cat', 'dog'), ()], [('cat', 'dog')])
    """
    cells = [unicodedata.normalize("NFC", cell).strip() for cell in cells]
    lists = [_listed(cell) for cell in cells]
    plain = [cell for cell, names in zip(cells, lists, strict=True) if names is None]
    mark = next((mark for mark in SEPARATORS if any(mark in cell for cell in plain)), None)
    mark = SEPARATORS[0] if mark is None and single else mark
    lower = {name.lower() for name in classes}
    result = []
    for cell, names in zip(cells, lists, strict=True):
        if names is None:
            names = [cell] if cell in classes or NOTHING_FOUND.fullmatch(cell) else cell.split(mark)
        names = [_without_quotes(name.strip()) for name in names]
        names = [name for name in names if name]
        if len(names) == 1 and is_nothing(names[0], lower):
            names = []
        result.append(tuple(dict.fromkeys(names)))
    return result


def _listed(cell: str) -> list[str] | None:
    """Return the names of a cell in brackets, as Python, pandas or JSON write lists; None for another cell."""
    if not (cell[:1] + cell[-1:] in ("[]", "()", "{}") and len(cell) > 1):
        return None
    if re.search(r"""(['"])\s+['"]""", cell):  # as NumPy writes arrays: ['cat' 'dog']
        return [first or second for first, second in re.findall(r"""'([^']*)'|"([^"]*)\"""", cell)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            values = ast.literal_eval(cell)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return [name.strip().strip("'\"") for name in cell[1:-1].split(",")]  # [cat, dog]
    if isinstance(values, dict) and values:
        return None  # it does not say which of its names are labels
    if not isinstance(values, list | tuple | set | dict):
        values = [values]
    names = sorted(values, key=str) if isinstance(values, set) else list(values)
    return [str(name) for name in names]


def is_nothing(name: str, classes: Collection[str] = ()) -> bool:
    """Tell whether a word says that there is no label, unless it is one of `classes` (in lower case)."""
    return name.lower() not in classes and (name.lower() in NOTHING or bool(NOTHING_FOUND.fullmatch(name)))


def _without_quotes(name: str) -> str:
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == "'" else name


def check_labels(
    labels: Mapping[str, Sequence[str]], where: Mapping[str, str], classes: Collection[str]
) -> None:
    """Raise an error if a label looks like none.

    Args:
        labels: Image -> its labels.
        where: Image -> file and line, for the message.
        classes: Names that are labels whatever they look like.

    Raises:
        InputError: A label is a word for nothing beside others, looks like several or like a list, differs from another
            in case alone, or is 0, true, false, yes or no; the message names it, and the way out.

    Example:
        >>> check_labels({"a": ["cat/dog"], "b": ["cat"]}, {"a": "labels.csv, line 2"}, [])
        Traceback (most recent call last):
        ...
        wsseg.errors.InputError: labels.csv, line 2: the label `cat/dog` looks like several; separate labels by \
semicolons, as in `cat; dog`, or list `cat/dog` in `classes` if it is one
    """
    first: dict[str, str] = {}
    for image, names in labels.items():
        for name in names:
            first.setdefault(name, image)
    written: dict[str, str] = {}
    for name, image in first.items():
        if name in classes:
            continue
        keep = f"or list `{name}` in `classes` if it is one"
        if name.lower() in NOT_KNOWN:
            raise InputError(
                f"{where[image]}: the label `{name}` says that nobody knows what the image shows, which is neither a "
                f"class nor background; remove the row, {keep}"
            )
        if not name.isprintable():
            raise InputError(
                f"{where[image]}: the label {name!r} holds a line end or another character that is not seen; is a "
                f"quote open?"
            )
        if is_nothing(name):
            raise InputError(
                f"{where[image]}: `{name}` stands beside other labels; leave it out: an image without an object has an "
                f"empty cell, and the background is no class; {keep}"
            )
        if name.lower() in ("0", "0.0", "true", "false", "yes", "no"):
            raise InputError(
                f"{where[image]}: the label `{name}` is no name of a class; write the names of the classes that the "
                f"image shows, and nothing where it shows none; {keep}"
            )
        if UNSPLIT.search(name) or _of_others(name, first):
            raise InputError(f"{where[image]}: the label `{name}` looks like several; {HOW}, {keep}")
        if name[0] in ODD + "(" or name[-1] in ODD:
            raise InputError(
                f"{where[image]}: the label `{name}` begins or ends with a character that names do not have; write the "
                f"name alone, {keep}"
            )
        key = key_of(name)
        if key in written:
            other = written[key]
            raise InputError(
                f"{where[image]}: the label `{name}` differs from `{other}` ({where[first[other]]}) in its writing "
                "alone; write both in one way, or list both in `classes` if they are two"
            )
        written[key] = name


def key_of(name: str) -> str:
    """Return what two ways to write one name have in common.

    Example:
        >>> {key_of(name) for name in ("Traffic Lights", "traffic_light")}, key_of("1.0")
        ({'traffic light'}, '1')
    """
    key = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name).casefold())
    return re.sub(r"(?<=\w\w\w)s$", "", re.sub(r"^(\d+)\.0$", r"\1", key))


def _of_others(name: str, names: Collection[str]) -> bool:
    """Tell whether a label is made of other labels, as `cat dog` of `cat` and `dog`."""
    parts = [part for part in re.split(r"[^\w.]+|_|\band\b", name) if part]
    return len(parts) > 1 and all(part in names for part in parts)


def in_order(labels: Collection[str]) -> tuple[str, ...]:
    """Return labels sorted by name, with the numbers in them by their size.

    Example:
        >>> in_order(["10", "2", "cat 10", "cat 9", "1"]), in_order(["0.5", "0.25"])
        (('1', '2', '10', 'cat 9', 'cat 10'), ('0.25', '0.5'))
    """
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        pass
    return tuple(
        sorted(labels, key=lambda name: ([_sortable(part) for part in re.split(r"(\d+)", name)], name))
    )


def _sortable(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdecimal() and len(part) < 1000 else (1, 0, part)
