"""The column of a CSV that deals the images to train, val and test, whatever it is called."""

import re
from collections.abc import Mapping, Sequence

from wsseg.errors import InputError, nearest

SPLIT_NAMES = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "tst": "test",
}  # fmt: skip
"""Words for a split, in lower case -> name of the split."""

HEADERS = frozenset(
    {"split", "splits", "subset", "set", "dataset", "datasplit", "splitname", "partition", "phase"}
)
"""Headers of a column of splits, in lower case and without other characters than letters."""

OTHER_HEADERS = frozenset({
    "fold", "folds", "kfold", "usage", "istrain", "istraining", "isval", "isvalid", "isvalidation", "istest", "train",
    "training", "val", "valid", "validation", "test", "holdout", "trainval", "trainvaltest", "traintest", "tvt", "cv",
    "cvfold", "foldid", "splitid", "setid", "setname", "partitionid",
})  # fmt: skip
"""Further headers of columns that divide the images in a way that is not read, in the same form."""

OTHER_WORDS = frozenset({"eval", "evaluation", "holdout", "hold-out", "heldout", "unused", "extra"})
"""Further words of such columns, in lower case."""

FLAGS = {
    "istrain": ("train", "val"), "istraining": ("train", "val"),
    "isval": ("val", "train"), "isvalid": ("val", "train"), "isvalidation": ("val", "train"),
    "istest": ("test", "train"),
}  # fmt: skip
"""Headers of columns of true and false, in the same form -> split where it is true, split where it is false."""

BARE_FLAGS = {name.removeprefix("is"): splits for name, splits in FLAGS.items()}
"""The same without `is`, which may have another meaning: they are read where the user chooses the column."""

TRUE, FALSE = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})

EMPTY = ("", "nan", "none", "null", "na", "n/a")
"""Words of an empty cell, in lower case."""


def split_name(word: str) -> str:
    """Return the name of a split: train, val or test for the usual words, else the word itself.

    Example:
        >>> [split_name(word) for word in ("Training", "valid", "TEST", "fold 1")]
        ['train', 'val', 'test', 'fold 1']
    """
    return SPLIT_NAMES.get(word.strip().lower(), word.strip())


def divides(name: str) -> bool:
    """Tell whether a column divides the images by its header.

    Example:
        >>> divides("Split"), divides("is_valid"), divides("cat")
        (True, True, False)
    """
    return re.sub("[^a-z]", "", name.lower()) in HEADERS | OTHER_HEADERS


def find_split_column(header: Sequence[str], rows: Sequence[Mapping[str, str]], chosen: str) -> str | None:
    """Return the column that deals the images, or None.

    It is the column `split`; else one with a usual header, such as `Subset`; else one whose cells are all words for
    splits, such as train and valid. Empty columns do not count.

    Args:
        header: Names of the columns.
        rows: Rows of the table: column -> cell.
        chosen: Name of the column, `none` if there is none, or `auto` for the rule above.

    Raises:
        InputError: The column does not exist, two columns may be it, or a column divides the images in a way that is
            not read; the message names the column.

    Example:
        >>> rows = [{"image": "a", "Usage": "training"}, {"image": "b", "Usage": "valid"}]
        >>> find_split_column(list(rows[0]), rows, "auto")
        'Usage'
    """
    others = [name for name in header if name not in ("image", "labels", None, "")]
    if chosen == "none":
        return None
    if chosen != "auto":
        if chosen not in others:
            raise InputError(
                f"`split_column`: there is no column `{chosen}`; {nearest(chosen, others or ['none'])}"
            )
        return chosen
    cells = {name: [(row.get(name) or "").strip().lower() for row in rows] for name in others}
    cells = {name: column for name, column in cells.items() if not set(column) <= set(EMPTY)}
    exact = [name for name in cells if name == "split"]
    named = [name for name in cells if re.sub("[^a-z]", "", name.lower()) in HEADERS]
    words = [name for name, column in cells.items() if set(column) <= {*SPLIT_NAMES, *EMPTY}]
    if found := exact or list(dict.fromkeys([*named, *words])):
        if len(found) > 1 and len({tuple(map(split_name, cells[name])) for name in found}) > 1:
            raise InputError(
                f"the columns `{found[0]}` and `{found[1]}` both may deal the images to splits; choose one with "
                f"`split_column: {found[0]}`, or `split_column: none`"
            )
        if found[0] not in exact and not {split_name(cell) for cell in cells[found[0]]} & {
            "train",
            "val",
            "test",
        }:
            raise InputError(_not_read(found[0], cells[found[0]]))
        return found[0]
    for name, column in cells.items():
        found = set(column) - set(EMPTY)
        if (
            found & OTHER_WORDS
            and "train" in map(split_name, found)
            and found <= {*SPLIT_NAMES, *OTHER_WORDS}
        ):
            raise InputError(_not_read(name, column))
    divide = [name for name in cells if re.sub("[^a-z]", "", name.lower()) in OTHER_HEADERS]
    for name in divide:
        splits = FLAGS.get(re.sub("[^a-z]", "", name.lower()))
        found = set(cells[name])
        # Most images are trained on: a column that says otherwise has another meaning, such as `can be used`.
        trained = (
            0 if splits is None else sum((cell in TRUE) == (splits[0] == "train") for cell in cells[name])
        )
        if len(divide) > 1 or splits is None or not found <= TRUE | FALSE or 2 * trained < len(rows):
            raise InputError(_not_read(name, cells[name]))
        return name
    return None


def _not_read(name: str, cells: Sequence[str]) -> str:
    values = ", ".join(f"`{value}`" for value in sorted(set(cells))[:4])
    return (
        f"the column `{name}` (with {values}) seems to divide the images, and is not read; write train, val or test in "
        f"a column `split`, choose it as it is with `split_column: {name}` (of a number of folds with `val_fold` too), "
        "or draw the splits with `split_column: none`"
    )


def splits_of_rows(
    column: str, rows: Mapping[str, str], where: Mapping[str, str], val_fold: str | int | None = None
) -> dict[str, str]:
    """Return the split of each image.

    Args:
        column: Name of the column.
        rows: Image -> its cell.
        where: Image -> file and line, for the message.
        val_fold: Cell of the images that are val, where all others are train; None if the cells name splits.

    Raises:
        InputError: A cell is empty, or no image is in the fold.

    Example:
        >>> splits_of_rows("is_valid", {"a": "True", "b": "False"}, {})
        {'a': 'val', 'b': 'train'}
        >>> splits_of_rows("fold", {"a": "0", "b": "1", "c": "2"}, {}, val_fold=1)
        {'a': 'train', 'b': 'val', 'c': 'train'}
    """
    for image, cell in rows.items():
        if cell.strip().lower() in EMPTY:
            raise InputError(
                f"{where[image]}: image `{image}` has no split in the column `{column}`; write train, val, test, or "
                "another name, such as unused, for images of no split"
            )
    cells = {image: cell.strip() for image, cell in rows.items()}
    if val_fold is not None:
        folds = {cell: cell.removesuffix(".0") for cell in cells.values()}
        wanted = str(val_fold).strip().removesuffix(".0")
        if wanted not in folds.values() or len(set(folds.values())) < 2:
            raise InputError(
                f"`val_fold`: the column `{column}` has no image in the fold `{val_fold}` and others beside it; "
                f"{nearest(str(val_fold), set(folds.values()))}"
            )
        return {image: "val" if folds[cell] == wanted else "train" for image, cell in cells.items()}
    letters = re.sub("[^a-z]", "", column.lower())
    flag = FLAGS.get(letters) or BARE_FLAGS.get(letters)
    lower = {cell.lower() for cell in cells.values()}
    if flag and lower <= TRUE | FALSE:
        return {image: flag[cell.lower() not in TRUE] for image, cell in cells.items()}
    return {image: split_name(cell) for image, cell in cells.items()}
