"""Masks in COCO's formats: run lengths, compressed or not, and polygons. NumPy and pycocotools."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from wsseg.errors import InputError

OUTSIDE = 10
"""Largest coordinate of a polygon, in units of the image's longer side.

Larger polygons are refused, because COCO's rasteriser walks along every edge in small steps.
"""

LARGEST = 2 * 89_478_485
"""Largest number of pixels of a mask: that of an image, from which Pillow refuses it."""


def encode_masks(masks: np.ndarray) -> list[dict[str, Any]]:
    """Return masks as COCO's compressed run lengths, ready for JSON.

    Args:
        masks: `(N, H, W)` bool.

    Returns:
        `{"size": [H, W], "counts": text}` for each mask.

    Example:
        >>> encode_masks(np.ones((1, 2, 3), bool))
        [{'size': [2, 3], 'counts': '06'}]
    """
    return [
        {"size": list(masks.shape[1:]), "counts": coco_mask.encode(mask)["counts"].decode("ascii")}
        for mask in map(np.asfortranarray, np.asarray(masks, bool).view(np.uint8))
    ]


def decode_mask(segmentation: Any, size_hw: tuple[int, int] | None = None) -> np.ndarray:
    """Read one mask in any of COCO's three forms.

    Run lengths are decoded here: pycocotools returns uninitialised memory if they do not fit the size.

    Args:
        segmentation: `{"size": [H, W], "counts": text, bytes or a list of run lengths}`, or a list of polygons
            `[x0, y0, x1, y1, ...]` in pixels.
        size_hw: Expected height and width; required for polygons.

    Returns:
        `(H, W)` bool.

    Raises:
        InputError: The segmentation has none of these forms, or another size.

    Example:
        >>> decode_mask({"size": [2, 2], "counts": [1, 2, 1]}).tolist()  # columns first
        [[False, True], [True, False]]
        >>> int(decode_mask([[1, 1, 4, 1, 4, 3, 1, 3]], (5, 6)).sum())
        6
    """
    if isinstance(segmentation, list):
        return _of_polygons(segmentation, size_hw)
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    if not (
        isinstance(size, list | tuple)
        and len(size) == 2
        and all(isinstance(side, int) and side > 0 for side in size)
    ):
        raise InputError(
            "`segmentation` must be run lengths with `size` [H, W] and `counts`, or a list of polygons; got "
            f"{str(segmentation)[:60]}"
        )
    if size_hw is not None and tuple(size) != tuple(size_hw):
        raise InputError(
            f"`segmentation` has (H, W) {tuple(size)}, its image {tuple(size_hw)}; they must be equal"
        )
    if size[0] * size[1] > LARGEST:
        raise InputError(
            f"`segmentation` has the size {size[0]} x {size[1]} (H x W); a mask may have {LARGEST:,} pixels at most"
        )
    runs = run_lengths(segmentation.get("counts"))
    if not fits(runs, size):
        raise InputError(
            f"the run lengths of `segmentation` do not add up to its size of {size[0]} x {size[1]} pixels (H x W)"
        )
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(size[1], size[0]).T


def fits(runs: np.ndarray, size_hw: Sequence[int]) -> bool:
    """Return whether run lengths are not negative and add up to the size.

    Each is compared by itself too, since the sum of a few large ones overflows.

    Args:
        runs: `(R,) int64`, from `run_lengths`.
        size_hw: Height and width.

    Example:
        >>> fits(np.array([2**63 - 1, 2**63 - 1, 402]), (20, 20))  # their sum is 400 in int64
        False
    """
    pixels = size_hw[0] * size_hw[1]
    return bool((runs >= 0).all() and (runs <= pixels).all() and runs.sum() == pixels)


def run_lengths(counts: Any) -> np.ndarray:
    """Return the lengths of the runs of 0, 1, 0, ... down the columns.

    Args:
        counts: The lengths as a list, or COCO's text. In the text, each character has five bits of a number, the lowest
            first. Bit 5 says that the number continues; bit 4 of its last character is the sign. From the fourth number
            on, the text holds the difference from the number two before (`rleFrString` of COCO's maskApi.c †).

    Returns:
        `(R,) int64`.

    Raises:
        InputError: `counts` is neither.

    Example:
        >>> run_lengths("52203").tolist()
        [5, 2, 2, 2, 5]
    """
    wrong = InputError(
        f"`counts` of `segmentation` must be COCO's run lengths, text or numbers; got {str(counts)[:40]!r}"
    )
    if isinstance(counts, list):
        if not all(isinstance(run, int) and 0 <= run < 2**63 for run in counts):
            raise wrong
        return np.array(counts, np.int64)
    if isinstance(counts, str) and counts.isascii():
        counts = counts.encode("ascii")
    if not isinstance(counts, bytes):
        raise wrong
    if not counts:
        return np.zeros(0, np.int64)
    bits = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = bits & 32 == 0
    if bits.min() < 0 or bits.max() > 63 or not last[-1]:
        raise wrong
    ends = np.flatnonzero(last)
    starts = np.append(0, ends[:-1] + 1)
    index = np.arange(len(bits)) - np.repeat(starts, ends - starts + 1)
    if index.max() > 6:  # more than 35 bits: no mask has that many pixels
        raise wrong
    runs = np.add.reduceat((bits & 31) << (5 * index), starts)
    runs -= np.where(bits[ends] & 16, 1 << (5 * (index[ends] + 1)), 0)
    runs[1::2] = runs[1::2].cumsum()
    runs[2::2] = runs[2::2].cumsum()
    return runs


def _of_polygons(polygons: Sequence[Any], size_hw: tuple[int, int] | None) -> np.ndarray:
    if size_hw is None:
        raise InputError("polygons do not include the image's size; give `size_hw`")
    for polygon in polygons:
        if not (
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(isinstance(value, int | float) for value in polygon)
        ):
            raise InputError(
                "a polygon of `segmentation` must be [x0, y0, x1, y1, ...] with at least three corners; got "
                f"{str(polygon)[:60]}"
            )
        if not all(abs(value) <= OUTSIDE * max(size_hw) for value in polygon):  # refuses nan too
            raise InputError(
                f"a polygon of `segmentation` lies far outside its image of (H, W) {tuple(size_hw)}: "
                f"{str(polygon)[:60]}"
            )
    if not polygons:
        return np.zeros(size_hw, bool)
    runs = coco_mask.merge(coco_mask.frPyObjects(list(polygons), *size_hw))
    return coco_mask.decode(runs).astype(bool)
