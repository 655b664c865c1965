"""Class names from a text, CSV or JSON file, for commands that take a model without its own."""

import csv
import json
from pathlib import Path

from wsseg.errors import InputError

HEADINGS = frozenset(
    {"name", "names", "class", "classes", "class name", "class_name", "label", "labels", "finding"}
)
"""Headings of a column of names, in lower case; they are no names."""


def read_class_names(path: Path | None) -> list[str] | None:
    """Read the names of a model's outputs, without the spaces around them.

    A text file has one name per line. A CSV file has one column of names, or one row of them, or a column of the
    outputs' numbers and one of names; the numbers decide the order, from 0 or 1. A row of headings is left out. A JSON
    file has a list of names, or names and numbers as the `class_indices` of Keras' generators.

    Raises:
        InputError: The file can't be read, or has an empty line between names, or a table of another form.
    """
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--class-names {path} cannot be read ({error}); give a text file, one name per line"
        ) from error
    if not text:
        raise InputError(f"--class-names {path} is empty; give one name per line")
    if path.suffix.lower() == ".csv":
        return _of_table(text, path)
    if path.suffix.lower() == ".json":
        return _of_json(text, path)
    names = [name.strip() for name in text.splitlines()]
    _refuse_empty(names, path)
    return names


def _of_table(text: str, path: Path) -> list[str]:
    delimiter = next((sign for sign in ",;\t" if sign in text), ",")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=delimiter)]
    except csv.Error as error:
        raise InputError(
            f"--class-names {path} cannot be read as a table ({error}); give a text file, one name per line"
        ) from error
    if len(rows) == 1:
        names = rows[0]
    elif all(len(row) <= 1 for row in rows):
        names = [row[0] if row else "" for row in rows]
        names = names[1:] if names[0].lower() in HEADINGS else names
    elif all(len(row) == 2 for row in rows):
        names = _in_order(rows, path)
    else:
        raise InputError(
            f"--class-names {path}: rows have {', '.join(map(str, sorted({len(row) for row in rows})))} cells; give "
            "one name per line, one row of names, or two columns, number and name"
        )
    _refuse_empty(names, path)
    return names


def _of_json(text: str, path: Path) -> list[str]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--class-names {path} is no JSON ({error})") from error
    if isinstance(content, dict):
        return _in_order([[str(key), str(value)] for key, value in content.items()], path)
    if not isinstance(content, list) or not all(isinstance(name, str) and name.strip() for name in content):
        raise InputError(f"--class-names {path} must hold a list of names, or names and numbers")
    return [name.strip() for name in content]


def _in_order(rows: list[list[str]], path: Path) -> list[str]:
    """Return the names of rows of number and name, in either order of columns, by their numbers."""
    for body in (rows, rows[1:]):
        for column in (0, 1):
            if body and all(row[column].isdecimal() and len(row[column]) < 10 for row in body):
                named = {int(row[column]): row[1 - column] for row in body}
                first = min(named)
                if len(named) == len(body) and first in (0, 1) and max(named) - first == len(body) - 1:
                    return [named[number] for number in sorted(named)]
                raise InputError(
                    f"--class-names {path}: the numbers must be 0 to {len(body) - 1}, or 1 to {len(body)}, each once"
                )
    raise InputError(
        f"--class-names {path} has two columns, none of which has whole numbers; give number and name"
    )


def _refuse_empty(names: list[str], path: Path) -> None:
    if "" in names:
        raise InputError(
            f"--class-names {path}: the line between `{names[names.index('') - 1]}` and the next name is empty, and "
            "would be the name of an output; remove it"
        )
