"""Options of dataset `folder` that a look at its masks suggests, for `wsseg init` and `wsseg datasets check`."""

from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.class_folder_options import SAMPLE, looks_like_mask, spread
from wsseg.datasets.folder_masks import find_masks
from wsseg.datasets.label_table import read_label_table
from wsseg.datasets.mask_values import stored_values
from wsseg.datasets.visible_files import visible_files
from wsseg.errors import InputError

COLOUR_FILES = ("label_colors.txt", "label_colours.txt", "class_dict.csv", "labelmap.txt")
"""Files of a dataset's folder that say which class has which colour."""

REMARKS = {
    "mask_values": "the masks hold 0 and 255 alone, so 255 is taken for the one class; 255: ignore if it is unsure",
    "mask_colours": "file of the colours of the masks, by its name",
    "mask_level": "the masks hold gray levels: pixels above this one are taken for the one class",
}
"""Meaning of each option that may be proposed, in a few words."""


def colour_file(root: Path) -> str | None:
    """Return the name of a folder's file of colours, or None."""
    return next((name for name in COLOUR_FILES if (root / name).is_file()), None)


def proposed_options(root: Path) -> dict[str, Any]:
    """Return options for a folder of photographs of one class, by the values of some of its masks.

    Returns:
        `mask_values` if these masks hold 0 and 255 alone, `mask_level` if they are gray with other levels between, else
        nothing. They are proposals: a person should see them.
    """
    try:
        table = read_label_table(root / "labels.csv")
        classes = {label for labels in table.labels.values() for label in labels}
        masks = find_masks(visible_files(root), "auto", set(table.labels)).masks
    except InputError:
        return {}  # said when the dataset is opened
    if (colours := colour_file(root)) is not None and masks:
        return {"mask_colours": colours}
    if len(classes) != 1 or not masks:
        return {}
    files = [root / path for path in spread(masks, SAMPLE)]
    held: set[int] = set()
    for file in files:
        try:
            held |= set(np.unique(stored_values(file)).tolist())
        except InputError:
            return {"mask_level": 127} if all(map(looks_like_mask, files)) else {}
    if IGNORE in held and held <= {0, IGNORE}:
        return {"mask_values": {IGNORE: min(classes)}}
    if len(held) > 3 and IGNORE in held and all(map(looks_like_mask, files)):
        return {"mask_level": 127}
    return {}
