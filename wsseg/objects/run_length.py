"""Masks as COCO writes them: run lengths, compressed or not, and polygons. NumPy and pycocotools."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from wsseg.errors import InputError

OUTSIDE = 10
"""How many image sides a polygon's corner may lie away: COCO's rasteriser walks along every edge in small steps."""


def encode_masks(masks: np.ndarray) -> list[dict[str, Any]]:
    """Return masks as COCO's compressed run lengths, ready for JSON.

    Args:
        masks: `(N, H, W)` bool.

    Returns:
        `{"size": [H, W], "counts": text}` for each.

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

    pycocotools itself returns whatever lies in memory for run lengths of another size, so they are read here.

    Args:
        segmentation: `{"size": [H, W], "counts": text, bytes or a list of run lengths}`, or a list of polygons
            `[x0, y0, x1, y1, ...]` in pixels.
        size_hw: Height and width that are expected; polygons need it.

    Returns:
        `(H, W)` bool.

    Raises:
        InputError: It is none of these, or of another size.

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
        raise InputError(f"`segmentation` is of (H, W) {tuple(size)}, its image of {tuple(size_hw)}")
    runs = run_lengths(segmentation.get("counts"))
    if runs.sum() != size[0] * size[1] or (runs < 0).any():
        raise InputError(
            f"the run lengths of `segmentation` cover {runs.sum()} pixels; its size is {size[0]} x {size[1]} (H x W)"
        )
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(size[1], size[0]).T


def run_lengths(counts: Any) -> np.ndarray:
    """Return the lengths of the runs of 0, 1, 0, ... down the columns.

    Args:
        counts: The lengths as a list, or COCO's text: five bits a character, from the lowest; bit 5 says that more
            follow, the highest bit of the last one is the sign; from the fourth number on the difference to the number
            two before it (`rleFrString` of COCO's maskApi.c †).

    Returns:
        `(R,) int64`.

    Raises:
        InputError: It is neither.

    Example:
        >>> run_lengths("52203").tolist()
        [5, 2, 2, 2, 5]
    """
    wrong = InputError(
        f"`counts` of `segmentation` must be COCO's run lengths, text or numbers; got {str(counts)[:40]!r}"
    )
    if isinstance(counts, list):
        if not all(isinstance(run, int) and run >= 0 for run in counts):
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
    place = np.arange(len(bits)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 6:  # 35 bits: more than any mask has pixels
        raise wrong
    runs = np.add.reduceat((bits & 31) << (5 * place), starts)
    runs -= np.where(bits[ends] & 16, 1 << (5 * (place[ends] + 1)), 0)
    runs[1::2] = runs[1::2].cumsum()
    runs[2::2] = runs[2::2].cumsum()
    return runs


def _of_polygons(polygons: Sequence[Any], size_hw: tuple[int, int] | None) -> np.ndarray:
    if size_hw is None:
        raise InputError("polygons say nothing of the image's size; give `size_hw`")
    for polygon in polygons:
        if not (
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(isinstance(value, int | float) for value in polygon)
        ):
            raise InputError(
                "a polygon of `segmentation` must be [x0, y0, x1, y1, ...] with three corners or more; got "
                f"{str(polygon)[:60]}"
            )
        if not all(abs(value) <= OUTSIDE * max(size_hw) for value in polygon):  # nan too
            raise InputError(
                f"a polygon of `segmentation` lies far outside of its image of (H, W) {tuple(size_hw)}: "
                f"{str(polygon)[:60]}"
            )
    if not polygons:
        return np.zeros(size_hw, bool)
    runs = coco_mask.merge(coco_mask.frPyObjects(list(polygons), *size_hw))
    return coco_mask.decode(runs).astype(bool)
