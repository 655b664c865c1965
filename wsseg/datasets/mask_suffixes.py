"""Endings by which the name of a mask differs from that of its image."""

MASK_SUFFIXES = (
    "_mask",
    "_masks",
    "_label",
    "_labels",
    "_gt",
    "_seg",
    "_segmentation",
    "-mask",
    "-label",
    "-gt",
    "_lbl",
    "_anno",
    "_annotation",
    "_labelids",
    "_truth",
    "_groundtruth",
    ".mask",
)
"""Endings that are known, in lower case."""


def name_without_suffix(stem: str) -> str | None:
    """Return the name of the image that a mask belongs to, by the mask's ending; None if it has no known ending.

    Example:
        >>> name_without_suffix("tile 1_mask"), name_without_suffix("tile 1"), name_without_suffix("_mask")
        ('tile 1', None, None)
    """
    for suffix in MASK_SUFFIXES:
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return stem[: -len(suffix)]
    return None
