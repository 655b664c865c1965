"""The table of image-level labels: an image and its labels per row, an object per row, or a column per class."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wsseg.datasets.label_cells import check_labels, is_nothing, labels_of_cells
from wsseg.datasets.npy_labels import read_npy_labels
from wsseg.datasets.split_column import find_split_column, splits_of_rows
from wsseg.datasets.table_columns import SINGULAR_HEADERS, YES, find_columns, has_images, letters
from wsseg.datasets.table_text import Row, read_rows
from wsseg.errors import InputError

EXPECTED = "a CSV with the header `image,labels` and rows such as `photo 1.jpg,cat dog`"


@dataclass(frozen=True)
class LabelTable:
    """Content of a table of labels. The keys are image names as written in the file.

    Attributes:
        labels: Image name -> labels, in the order of the file; `()` for an empty cell, or a word such as `none`.
        splits: Image name -> split; empty if the file has no such column.
        lines: Image name -> line in the file, counted from 1; the first of several.
        cells: Image name -> cell of labels, as written.
        columns: Names of the columns of classes, if each class has one.
        remarks: What was read otherwise than one image per row, `what -> how`.
    """

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    cells: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    remarks: dict[str, str] = field(default_factory=dict)


def read_label_table(
    path: Path,
    classes: Collection[str] = (),
    split_column: str = "auto",
    image_column: str = "auto",
    label_columns: str | Sequence[str] = "auto",
    val_fold: str | int | None = None,
) -> LabelTable:
    """Read a table of image-level labels.

    Labels are separated by spaces; or by semicolons, bars or commas if any row has one among its labels, so that class
    names may contain spaces; see `wsseg.datasets.label_cells`. An image with several rows, as in tables with one object
    per row, has the labels of all of them. Spaces separate nothing then, nor in a column such as `label` or `class`.
    Instead of the labels, there may be one column of 0 and 1 per class; see `wsseg.datasets.table_columns`. See
    `wsseg.datasets.table_text` for the file.

    Args:
        path: The file, with a header such as `image,labels`, and maybe a column of splits; further columns are not
            read. Or a file `.npy`, see `wsseg.datasets.npy_labels`, whose numbers are those of `classes`.
        classes: Names that are labels whatever they look like.
        split_column: See `wsseg.datasets.split_column.find_split_column`.
        image_column: Name of the column of images, or `auto`.
        label_columns: Name of the column of labels, names of the columns of classes, or `auto`.
        val_fold: See `wsseg.datasets.split_column.splits_of_rows`.

    Returns:
        The table.

    Raises:
        InputError: The file is missing, is not such a table, says two things of an image, or has a label or a split
            that may be meant otherwise; the message names the file and the line.
    """
    if path.suffix == ".npy":
        return _of_npy(path, classes)
    header, rows = read_rows(path, lambda header: has_images(header, image_column), EXPECTED)
    cells_of_rows = [row for _, row in rows]
    try:
        columns = find_columns(header, cells_of_rows, image_column, label_columns, classes, split_column)
        used = {columns.image, columns.labels, *columns.classes}
        others = [name for name in header if name not in used]
        column = find_split_column(others, cells_of_rows, split_column)
        if val_fold is not None and column is None:
            raise InputError("`val_fold` needs a column of folds; name it with `split_column`")
    except InputError as error:
        raise InputError(f"{path}{' ' if str(error).startswith('must') else ': '}{error}") from None
    table = LabelTable(columns=columns.classes)
    rows_of: dict[str, list[int]] = {}
    for index, (number, row) in enumerate(rows):
        name = (row[columns.image] or "").strip()
        if not name:
            raise InputError(f"{path}, line {number}: no image name; expected `image,labels`")
        if not name.isprintable():
            raise InputError(
                f"{path}, line {number}: the image name {name[:40]!r} has a line end; is a quote open?"
            )
        if any(row.get(None) or ()):
            raise InputError(
                f"{path}, line {number}: more cells than in the header; separate labels by spaces or "
                "semicolons, not commas, or quote the cell"
            )
        rows_of.setdefault(name, []).append(index)
        table.lines.setdefault(name, number)
    if not table.lines:
        raise InputError(f"{path} lists no image; expected one row per image below the header")
    several = [name for name, indices in rows_of.items() if len(indices) > 1]
    if columns.labels is not None:
        cells = [(row[columns.labels] or "").strip() for row in cells_of_rows]
        single = bool(several) or letters(columns.labels) in SINGULAR_HEADERS
        labels = labels_of_cells(cells, classes, single)
    else:
        labels = [_marked(row, columns.classes, classes) for row in cells_of_rows]
        cells = [" ".join(names) for names in labels]
    where = {name: f"{path}, line {number}" for name, number in table.lines.items()}
    for name, indices in rows_of.items():
        found = [labels[index] for index in indices]
        if columns.classes and len({*found}) > 1:
            _contradict(path, name, [rows[index][0] for index in indices], "labels")
        if any(found) and not all(found):
            _contradict(path, name, [rows[index][0] for index in indices], "labels and none")
        table.labels[name] = tuple(dict.fromkeys(label for one in found for label in one))
        table.cells[name] = "; ".join(dict.fromkeys(cells[index] for index in indices if cells[index]))
    check_labels(table.labels, where, {*classes, *(columns.classes if label_columns != "auto" else ())})
    if columns.classes and label_columns == "auto" and not classes:
        table.remarks[path.name] = (
            f"the columns {', '.join(columns.classes)} hold 0 and 1, and each is read as a class; `label_columns` "
            "names others"
        )
    if several:
        first = several[0]
        table.remarks[f"{path.name}, line {table.lines[first]}"] = (
            f"`{first}` has {len(rows_of[first])} rows, whose labels are joined; so have {len(several) - 1} more images"
        )
    if column is not None:
        _add_splits(table, path, column, rows, rows_of, where, val_fold)
    return table


def _of_npy(path: Path, classes: Collection[str]) -> LabelTable:
    """Return the labels of a dictionary that NumPy saved; see `wsseg.datasets.npy_labels`."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a file such as cls_labels.npy")
    found = read_npy_labels(path)
    if not classes:
        raise InputError(f"{path} names no classes; give `classes`, in the order of its numbers")
    count = len(next(iter(found.values())))
    if count != len(classes):
        raise InputError(f"{path} has {count} numbers per image, and there are {len(classes)} `classes`")
    labels = {
        image: tuple(name for name, there in zip(classes, row, strict=True) if there)
        for image, row in found.items()
    }
    numbers = {image: number for number, image in enumerate(found, 1)}
    return LabelTable(labels, {}, numbers, {image: " ".join(names) for image, names in labels.items()})


def _marked(
    row: Mapping[str | None, str | None], columns: Sequence[str], classes: Collection[str]
) -> tuple[str, ...]:
    names = [name for name in columns if (row[name] or "").strip().lower() in YES]
    lower = {name.lower() for name in classes}
    return () if len(names) == 1 and is_nothing(names[0], lower) else tuple(names)


def _contradict(path: Path, name: str, lines: Sequence[int], what: str) -> None:
    raise InputError(
        f"{path}, line {lines[1]}: image `{name}` is already on line {lines[0]}, and the two rows have different "
        f"{what}; correct or join the rows"
    )


def _add_splits(
    table: LabelTable,
    path: Path,
    column: str,
    rows: Sequence[Row],
    rows_of: Mapping[str, Sequence[int]],
    where: Mapping[str, str],
    val_fold: str | int | None,
) -> None:
    cells = {name: (rows[indices[0]][1][column] or "") for name, indices in rows_of.items()}
    for name, indices in rows_of.items():
        if len({(rows[index][1][column] or "").strip() for index in indices}) > 1:
            _contradict(path, name, [rows[index][0] for index in indices], f"splits (`{column}`)")
    try:
        table.splits.update(splits_of_rows(column, cells, where, val_fold))
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from None
