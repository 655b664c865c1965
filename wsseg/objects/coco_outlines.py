"""Boxes and outlines of COCO's annotations: read where they can be used, with a reason where not."""

import math
from array import array
from typing import Any

from wsseg.errors import InputError
from wsseg.objects.coco_values import number, whole
from wsseg.objects.instances import boxes_of_masks
from wsseg.objects.run_length import OUTSIDE, decode_mask, fits, run_lengths

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

NO_OUTLINE = "it has no segmentation"


def compact(entry: dict[str, Any]) -> dict[str, Any]:
    """Turn the polygons of an entry into arrays, which take a quarter of the memory; other entries stay."""
    polygons = entry.get("segmentation")
    if isinstance(polygons, list):
        entry["segmentation"] = [_as_array(polygon) for polygon in polygons]
    return entry


def _as_array(polygon: Any) -> Any:
    try:
        return array("d", polygon) if isinstance(polygon, list) else polygon
    except (TypeError, OverflowError):  # not a list of numbers; `outline_of` reports it
        return polygon


def box_of(bbox: Any) -> tuple[Box | None, str]:
    """Read COCO's `[left, top, width, height]`.

    Returns:
        Left, top, right, bottom, not clipped, and ""; or None and the reason.

    Example:
        >>> box_of([1, 2, 3, "4"]), box_of([1, 2, 0, 4])
        (((1.0, 2.0, 4.0, 6.0), ''), (None, 'its box [1, 2, 0, 4] has no area'))
    """
    if bbox is None or bbox == []:
        return None, "it has no `bbox`"
    values = [number(value) for value in bbox] if isinstance(bbox, list) else []
    if len(values) != 4 or None in values:
        return None, f"`bbox` must be [left, top, width, height] in pixels; got {str(bbox)[:60]}"
    left, top, width, height = values
    if width <= 0 or height <= 0:
        return None, f"its box {bbox} has no area"
    return (left, top, left + width, top + height), ""


def clipped(box: Box, size_hw: tuple[int, int]) -> Box | None:
    """Return the part of a box inside the image; None if there is none."""
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[2], float(size_hw[1])), min(box[3], float(size_hw[0]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def outline_of(segmentation: Any, size_hw: tuple[int, int]) -> tuple[Any, Box | None, str, str]:
    """Read a `segmentation`: polygons, or run lengths as text or as a list.

    Two slips of tools are read as they are meant: one polygon that is not inside a list, and polygons of `[x, y]`
    pairs. A polygon of one or two corners covers no pixel: it is dropped where other polygons are left.

    Args:
        segmentation: As read with `compact`.
        size_hw: Height and width of the image.

    Returns:
        The outline, its extent (None for run lengths), "", and what was dropped, if anything; or None,
        None and the reason.
    """
    if segmentation is None or segmentation in ([], {}, ""):
        return None, None, NO_OUTLINE, ""
    if isinstance(segmentation, list):
        return _of_polygons(segmentation, size_hw)
    outline, why = _of_run_lengths(segmentation, size_hw)
    return outline, None, why, ""


def box_of_outline(outline: Any, extent: Box | None, size_hw: tuple[int, int]) -> Box:
    """Return the box around an outline of `outline_of`."""
    if extent is not None:
        return extent
    left, top, right, bottom = boxes_of_masks(decode_mask(outline, size_hw)[None])[0].tolist()
    return left, top, right, bottom


def _of_polygons(segmentation: list[Any], size_hw: tuple[int, int]) -> tuple[Any, Box | None, str, str]:
    polygons = _polygons_of(segmentation)
    for polygon in polygons:
        if not isinstance(polygon, array) or len(polygon) % 2:
            return None, None, _corners(polygon), ""
    kept = [polygon for polygon in polygons if len(polygon) >= 6]
    if not kept:
        return None, None, _corners(polygons[0] if polygons else []), ""
    extent = _extent_of(kept)
    if extent is None or max(map(abs, extent)) > OUTSIDE * max(size_hw):
        return None, None, "a corner of its polygon is not a finite number, or lies far outside the image", ""
    if extent[0] == extent[2] or extent[1] == extent[3]:
        return None, None, "its outline is a line, without an area", ""
    strays = len(polygons) - len(kept)
    dropped = f"{strays} of its polygons have fewer than three corners and are dropped" if strays else ""
    return kept, extent, "", dropped


def _extent_of(polygons: list[array]) -> Box | None:
    """Return left, top, right, bottom of all corners; None if a coordinate is not finite."""
    if not all(math.isfinite(sum(polygon)) for polygon in polygons):
        return None
    xs, ys = ([polygon[axis::2] for polygon in polygons] for axis in (0, 1))
    return min(map(min, xs)), min(map(min, ys)), max(map(max, xs)), max(map(max, ys))


def place_of(bbox: Any, segmentation: Any) -> Box | None:
    """Return about where an object is that has no usable box and no usable outline; None if nothing says it.

    All coordinates that the box and the polygons give, widened on each side by the longer side, or by a pixel: an
    object whose box has no width is hardly wider than it is high.

    Example:
        >>> place_of([30, 10, 0, 8], []), place_of([], [array("d", [4, 5])]), place_of(None, None)
        ((22.0, 2.0, 38.0, 26.0), (3.0, 4.0, 5.0, 6.0), None)
    """
    values = [number(value) for value in bbox] if isinstance(bbox, list) else []
    corners = _polygons_of(segmentation) if isinstance(segmentation, list) else []
    corners = [one for one in corners if isinstance(one, array) and len(one) and len(one) % 2 == 0]
    if len(values) == 4 and None not in values:
        left, top, width, height = values
        corners.append(array("d", [left, top, left + width, top + height]))
    extent = _extent_of(corners) if corners else None
    if extent is None:
        return None
    left, top, right, bottom = extent
    margin = max(right - left, bottom - top, 1.0)
    return left - margin, top - margin, right + margin, bottom + margin


def _corners(polygon: Any) -> str:
    got = list(polygon) if isinstance(polygon, array) else polygon
    return f"a polygon needs x and y of at least three corners; got {str(got)[:60]}"


def _polygons_of(segmentation: list[Any]) -> list[Any]:
    """Return polygons as arrays; what is no polygon stays as it is."""
    if all(isinstance(polygon, array) and len(polygon) > 2 for polygon in segmentation):
        return segmentation
    flat = [number(value) for value in segmentation]
    if None not in flat:
        return [array("d", flat)]
    if len(segmentation) >= 3 and all(isinstance(pair, array) and len(pair) == 2 for pair in segmentation):
        return [array("d", [value for pair in segmentation for value in pair])]
    return [_polygon_of(polygon) for polygon in segmentation]


def _polygon_of(polygon: Any) -> Any:
    if not isinstance(polygon, list):
        return polygon
    if polygon and all(isinstance(pair, list) and len(pair) == 2 for pair in polygon):
        polygon = [value for pair in polygon for value in pair]
    values = [number(value) for value in polygon]
    return polygon if None in values else array("d", values)


def _of_run_lengths(segmentation: Any, size_hw: tuple[int, int]) -> tuple[dict[str, Any] | None, str]:
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    if not isinstance(size, list) or [whole(side) for side in size] != list(size_hw):
        return None, f"its run lengths do not have the image's size {list(size_hw)} (height, width)"
    counts = segmentation.get("counts")
    if isinstance(counts, list):
        counts = [whole(run) for run in counts]
    try:
        runs = run_lengths(counts)
    except (InputError, OverflowError):
        return None, f"its run lengths cannot be read: {str(segmentation.get('counts'))[:40]}"
    if not fits(runs, size_hw):
        return None, f"its run lengths do not add up to {size_hw[0]} x {size_hw[1]} pixels"
    if not runs[1::2].any():
        return None, "its run lengths cover no pixel"
    return {"size": list(size_hw), "counts": counts}, ""
