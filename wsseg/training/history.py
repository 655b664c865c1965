"""The history of a training as a CSV file: one row per epoch."""

import csv
import io
import math
from pathlib import Path

from wsseg.artifacts import write_atomically
from wsseg.errors import InputError


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write a CSV file with one row per epoch, atomically.

    Args:
        path: The CSV file.
        history: One dictionary of values per epoch. A value that an epoch lacks becomes an empty cell.
    """
    text = io.StringIO()
    names = dict.fromkeys(name for row in history for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names) or ["epoch"])
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))


def read_history(path: Path) -> dict[str, list[float]]:
    """Read a file of `write_history`.

    Args:
        path: A CSV file with a header and one row per epoch; cells are numbers or empty.

    Returns:
        Column name -> one value per epoch; an empty cell becomes NaN.

    Raises:
        InputError: The file is missing, or a cell is not a number.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            header, rows = reader.fieldnames, list(reader)
    except FileNotFoundError:
        raise InputError(f"history {path} does not exist; expected the CSV that training writes") from None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"history {path} cannot be read ({error}); expected the CSV that training writes"
        ) from error
    if not header:
        raise InputError(f"history {path} is empty; expected the CSV that training writes")
    columns: dict[str, list[float]] = {}
    for number, row in enumerate(rows, start=2):
        for name, cell in row.items():
            try:
                if cell is None:  # the row is cut off
                    raise TypeError
                columns.setdefault(name, []).append(float(cell) if cell else math.nan)
            except (TypeError, ValueError):
                raise InputError(
                    f"history {path}, line {number}: `{name}` is {cell!r}; expected a number"
                ) from None
    return columns
