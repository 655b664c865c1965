"""The CSV of image-level labels: header `image,labels`, optionally a column of splits; one image per row."""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from wsseg.datasets.label_cells import check_labels, labels_of_cells
from wsseg.datasets.split_column import find_split_column, splits_of_rows
from wsseg.errors import InputError


@dataclass(frozen=True)
class LabelTable:
    """Content of a CSV of labels. The keys are image names as written in the file.

    Attributes:
        labels: Image name -> labels, in the order of the file; `()` for an empty cell, or a word such as `none`.
        splits: Image name -> split; empty if the file has no such column.
        lines: Image name -> line in the file, counted from 1.
        cells: Image name -> cell of labels, as written.
    """

    labels: dict[str, tuple[str, ...]]
    splits: dict[str, str]
    lines: dict[str, int]
    cells: dict[str, str]


def read_label_table(path: Path, classes: Collection[str] = (), split_column: str = "auto") -> LabelTable:
    """Read a CSV of image-level labels.

    Labels are separated by spaces; or by semicolons, bars or commas if any row has one among its labels, so that class
    names may contain spaces; see `wsseg.datasets.label_cells`. The file is UTF-8, with or without a byte-order mark.

    Args:
        path: The file, with the header `image,labels`, and maybe a column of splits; further columns are not read.
        classes: Names that are labels whatever they look like.
        split_column: See `wsseg.datasets.split_column.find_split_column`.

    Returns:
        The table.

    Raises:
        InputError: The file is missing, is not such a CSV, lists an image twice, or has a label or a split that may be
            meant otherwise; the message names the file and the line.
    """
    header, rows = _rows(path)
    table = LabelTable({}, {}, {}, {})
    where: dict[str, str] = {}
    for number, row in rows:
        name = (row["image"] or "").strip()
        if not name:
            raise InputError(f"{path}, line {number}: no image name; expected `image,labels`")
        if row.get(None):
            raise InputError(
                f"{path}, line {number}: more cells than in the header; separate labels by spaces or "
                "semicolons, not commas, or quote the cell"
            )
        if name in table.lines:
            raise InputError(
                f"{path}, line {number}: image `{name}` is already on line {table.lines[name]}; join the rows"
            )
        table.lines[name] = number
        table.cells[name] = (row["labels"] or "").strip()
        where[name] = f"{path}, line {number}"
    if not table.lines:
        raise InputError(f"{path} lists no image; expected one row per image below the header")
    table.labels.update(zip(table.cells, labels_of_cells(list(table.cells.values()), classes), strict=True))
    check_labels(table.labels, where, classes)
    try:
        column = find_split_column(header, [row for _, row in rows], split_column)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if column is not None:
        cells = {name: row[column] or "" for name, (_, row) in zip(table.lines, rows, strict=True)}
        table.splits.update(splits_of_rows(column, cells, where))
    return table


def _rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header, with `image` and `labels` in lower case, and the rows with their lines."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = [(name or "").strip() for name in reader.fieldnames or []]
            header = [name.lower() if name.lower() in ("image", "labels") else name for name in header]
            reader.fieldnames = header
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; expected a CSV with the header `image,labels` and rows "
            "such as `photo 1.jpg,cat dog`"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a UTF-8 CSV file ({error})") from error
    for name in header:
        if name and header.count(name) > 1:
            raise InputError(f"{path} has two columns `{name}`; remove one, or name it otherwise")
    if not {"image", "labels"} <= set(header):
        numbers = ("0", "1", "0.0", "1.0", "true", "false")
        one_hot = [
            name
            for name in header
            if name != "image"
            and rows
            and all((row[name] or "").strip().lower() in numbers for _, row in rows)
        ]
        hint = (
            f"; the columns {', '.join(one_hot[:4])} hold 0 and 1: write instead one column `labels` with the names of "
            "the columns that are 1, as in `cat dog`"
            if one_hot and "labels" not in header
            else ""
        )
        raise InputError(
            f"{path} must begin with the header line `image,labels` (or `image,labels,split`); "
            f"got `{','.join(header)}`{hint}"
        )
    return header, rows
