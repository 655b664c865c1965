"""The columns of a table of labels, whatever they are called: the image's, and that of its labels or one per class."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from wsseg.datasets.split_column import divides
from wsseg.errors import InputError, nearest
from wsseg.image_files import IMAGE_EXTENSIONS

IMAGE_HEADERS = frozenset({
    "images", "imagename", "imagefile", "imagefilename", "imagepath", "imageid", "imageindex", "img", "imgname",
    "imgfile", "imgpath", "imgid", "file", "filename", "filepath", "fname", "path", "photo", "photograph", "picture",
})  # fmt: skip
"""Headers of the column of images beside `image`, in lower case and without other characters than letters."""

WEAK_IMAGE_HEADERS = frozenset({"name", "id"})
"""Further headers of that column, where there is no other."""

LABEL_HEADERS = frozenset({
    "label", "class", "classes", "classname", "classnames", "tag", "tags", "category", "categories", "categoryname",
    "labelname", "findinglabels",
})  # fmt: skip
"""Headers of the column of labels beside `labels`, in the same form."""

NUMBER_HEADERS = frozenset({
    "classid", "classids", "labelid", "labelids", "categoryid", "classidx", "labelidx", "classindex", "labelindex",
    "target", "targets", "y", "groundtruth", "gt", "annotation", "annotations",
})  # fmt: skip
"""Headers of columns of numbers of classes, in the same form; with 0 and 1 alone they look like a class."""

SINGULAR_HEADERS = frozenset({"label", "class", "classname", "category", "categoryname", "labelname"})
"""Those among them that promise one label per cell, so that its spaces belong to the label."""

YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})
"""Cells of a column of one class, in lower case."""


@dataclass(frozen=True)
class Columns:
    """Where a table says what.

    Attributes:
        image: Column of the images.
        labels: Column of the labels; None if each class has a column.
        classes: Columns of the classes, which hold 0 and 1; empty if there is a column of labels.
    """

    image: str
    labels: str | None
    classes: tuple[str, ...] = ()


def letters(name: str) -> str:
    """Return the letters of a header in lower case.

    Example:
        >>> letters("Image Index")
        'imageindex'
    """
    return re.sub("[^a-z]", "", name.lower())


def has_images(header: Sequence[str], chosen: str = "auto") -> bool:
    """Tell whether a header has a column of images and another one."""
    return len(header) > 1 and bool([chosen] if chosen in header else _image_columns(header))


def find_columns(
    header: Sequence[str],
    rows: Sequence[Mapping[str | None, str | None]],
    image_column: str = "auto",
    label_columns: str | Sequence[str] = "auto",
    classes: Collection[str] = (),
    split_column: str = "auto",
) -> Columns:
    """Find the columns of a table of labels.

    The labels stand in one column, or each class has a column of 0 and 1 (or true and false, yes and no). In the second
    form all columns must be of this kind, but for those of the image and of the split, and of numbers of rows.

    Args:
        header: Names of the columns.
        rows: Cells by the names of their columns.
        image_column: Name of the column of images, or `auto`.
        label_columns: Name of the column of labels, names of the columns of classes, or `auto`.
        classes: Classes that the user has listed: where they all are columns, these are taken.
        split_column: See `wsseg.datasets.split_column.find_split_column`.

    Raises:
        InputError: A column does not exist, or it is not clear which one is meant; the message names the columns and
            the option.

    Example:
        >>> find_columns(["file_name", "cat", "dog"], [{"file_name": "a.jpg", "cat": "0", "dog": "1"}])
        Columns(image='file_name', labels=None, classes=('cat', 'dog'))
    """
    image = _image_column(header, rows, image_column)
    others = [name for name in header if name and name != image]
    if label_columns != "auto":
        return _given(label_columns, others, image, rows)
    if "labels" in header:
        return Columns(image, "labels")
    if lower := [name for name in others if name.lower() == "labels"]:
        return Columns(image, lower[0])
    if classes and set(classes) <= set(others) and all(_yes_or_no(rows, name) for name in classes):
        return Columns(image, None, tuple(name for name in others if name in classes))
    found = [name for name in others if letters(name) in LABEL_HEADERS]
    if len(found) > 1:
        raise InputError(
            f"the columns `{found[0]}` and `{found[1]}` both may hold the labels; choose with "
            f"`label_columns: {found[0]}`"
        )
    if found:
        return Columns(image, found[0])
    divide = [name for name in others if name == split_column or (split_column == "auto" and divides(name))]
    if doubtful := [
        name for name in divide if letters(name) in ("train", "test", "val") and name != split_column
    ]:
        raise InputError(
            f"the column `{doubtful[0]}` may be a class or may divide the images; choose with `label_columns: [...]` "
            f"or `split_column: {doubtful[0]}`"
        )
    numbers = {*IMAGE_HEADERS, *WEAK_IMAGE_HEADERS, "index", "idx", "unnamed"}  # of rows and of images
    others = [name for name in others if name not in divide and letters(name) not in numbers]
    one_hot = [name for name in others if _yes_or_no(rows, name)]
    if numbered := [name for name in one_hot if letters(name) in NUMBER_HEADERS]:
        raise InputError(
            f"the column `{numbered[0]}` seems to hold numbers of classes, whose names are not known; write the names "
            f"in a column `labels`; if it is a class itself, say so with `label_columns: [{numbered[0]}]`"
        )
    if others and len(one_hot) == len(others):
        return Columns(image, None, tuple(one_hot))
    if one_hot:
        odd = next(name for name in others if name not in one_hot)
        raise InputError(
            f"there is no column `labels`; the columns {', '.join(one_hot[:4])} hold 0 and 1, but `{odd}` does not: "
            f"name the columns of classes with `label_columns: [{', '.join(one_hot[:4])}]`"
        )
    raise InputError(
        "must begin with the header line `image,labels` (or `image,labels,split`), or have one column of 0 and 1 per "
        f"class; got `{','.join(header)}`; `label_columns` names a column of another name"
    )


def _image_columns(header: Sequence[str]) -> list[str]:
    exact = [name for name in header if name == "image"] or [
        name for name in header if name.lower() == "image"
    ]
    named = [name for name in header if letters(name) in IMAGE_HEADERS]
    return exact or named or [name for name in header if letters(name) in WEAK_IMAGE_HEADERS]


def _image_column(header: Sequence[str], rows: Sequence[Mapping[str | None, str | None]], chosen: str) -> str:
    if chosen != "auto":
        if chosen not in header:
            raise InputError(f"`image_column`: there is no column `{chosen}`; {nearest(chosen, header)}")
        return chosen
    found = _image_columns(header)
    if not found:
        raise InputError(
            f"must begin with the header line `image,labels` (or `image,labels,split`); got `{','.join(header)}`; "
            "`image_column` names the column of images"
        )
    if len(found) > 1:
        files = [name for name in found if all(_is_file_name(row.get(name)) for row in rows)]
        if len(files) != 1:
            raise InputError(
                f"the columns `{found[0]}` and `{found[1]}` both may name the images; choose with "
                f"`image_column: {found[0]}`"
            )
        return files[0]
    return found[0]


def _is_file_name(cell: str | None) -> bool:
    return bool(cell) and f".{cell.strip().rpartition('.')[2].lower()}" in IMAGE_EXTENSIONS


def _yes_or_no(rows: Sequence[Mapping[str | None, str | None]], name: str) -> bool:
    return bool(rows) and all((row.get(name) or "").strip().lower() in YES | NO for row in rows)


def _given(
    chosen: str | Sequence[str],
    others: Sequence[str],
    image: str,
    rows: Sequence[Mapping[str | None, str | None]],
) -> Columns:
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    for name in names:
        if name not in others:
            raise InputError(
                f"`label_columns`: there is no column `{name}`; {nearest(str(name), others or ['-'])}"
            )
    if isinstance(chosen, str):
        return Columns(image, chosen)
    for name in names:
        if not _yes_or_no(rows, name):
            cells = {(row.get(name) or "").strip() for row in rows}
            odd = sorted(cell for cell in cells if cell.lower() not in YES | NO)
            raise InputError(
                f"`label_columns`: the column `{name}` holds `{odd[0]}`; a column of a class holds 0 and 1 in every row"
            )
    return Columns(image, None, tuple(names))
