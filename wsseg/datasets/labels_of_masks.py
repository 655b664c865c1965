"""A table of labels made from masks, for folders of photographs and masks without a file of labels."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.label_table import LabelTable
from wsseg.datasets.split_column import SPLIT_NAMES
from wsseg.progress import bar


def labels_of_masks(
    mask_of: Mapping[PurePosixPath, PurePosixPath],
    read: Callable[[PurePosixPath], np.ndarray],
    classes: Sequence[str],
) -> LabelTable:
    """Return the classes in the mask of each photograph as its labels: pixel labels, so not weak supervision.

    Photographs in folders named train, val and test, in `images` or beside it, are of these splits if all are.

    Args:
        mask_of: Photograph -> its mask.
        read: Function that reads a mask as ids.
        classes: Classes in mask-id order.

    Raises:
        InputError: A mask cannot be read.
    """
    table = LabelTable()
    with bar("reading labels from masks", len(mask_of)) as advance:
        for photograph, mask in mask_of.items():
            values = np.unique(read(mask)).tolist()
            name = str(photograph)
            table.labels[name] = tuple(classes[value - 1] for value in values if value not in (0, IGNORE))
            table.lines[name], table.cells[name] = 0, ""
            advance()
    splits = {str(path): split_of(path) for path in mask_of}
    if None not in splits.values():
        table.splits.update(splits)
    return table


def split_of(path: PurePosixPath) -> str | None:
    """Return the split that a folder above a photograph names; None if none does."""
    return next((SPLIT_NAMES[part.lower()] for part in path.parts[:-1] if part.lower() in SPLIT_NAMES), None)
