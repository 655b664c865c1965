"""Sheets that explain a photograph: one that compares methods, one for classes, and one for scales."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.palette import voc_palette
from wsseg.report.grid import Cell, write_grid
from wsseg.report.overlay import in_gray, overlay, overlay_class_maps

MEANING = "share of the map's maximum"


def write_sheet(path: Path, image: np.ndarray, labels: Sequence[str], maps: Mapping[str, np.ndarray]) -> Path:
    """Write the photograph and its maps, painted over it: one row per method, one column per class.

    Args:
        path: PNG file to write; its folder is created if needed.
        image: `(H, W, 3) uint8` RGB.
        labels: T column titles, such as "Egyptian cat 0.41".
        maps: Method -> `(T, H, W) float` in [0, 1], one map per label. Each method is a row.

    Returns:
        `path`.

    Raises:
        InputError: There is no map, or the maps do not fit the labels or the photograph.
    """
    _check(image, labels, maps)
    rows = {
        method: [Cell(image, "photograph" if number == 0 else "")]
        + [Cell(_painted(image, one), label if number == 0 else "") for one, label in zip(stack, labels)]
        for number, (method, stack) in enumerate(maps.items())
    }
    capped = "; for capped maps, of the 99th percentile" if any("capped" in method for method in maps) else ""
    return write_grid(path, rows, colour_bar=MEANING + capped)


def write_class_sheet(
    path: Path, image: np.ndarray, labels: Sequence[str], maps: Mapping[str, np.ndarray]
) -> Path:
    """Write the class with the highest map at each pixel, in the classes' colours: one row per method.

    Each map is scaled by its own maximum, so the sheet compares locations, not the strength of classes.

    Args:
        path: See `write_sheet`.
        image: `(H, W, 3) uint8` RGB.
        labels: T names of classes.
        maps: Method -> `(T, H, W) float` in [0, 1].

    Returns:
        `path`.

    Raises:
        InputError: See `write_sheet`.
    """
    _check(image, labels, maps)
    size_hw, ids = image.shape[:2], range(1, len(labels) + 1)
    rows = {}
    for number, (method, stack) in enumerate(maps.items()):
        stack = np.clip(stack, 0, 1).astype(np.float32)
        cells = [Cell(image, "" if number else "photograph")]
        cells.append(
            Cell(overlay_class_maps(image, ClassMaps(list(ids), stack, size_hw)), "" if number else "all")
        )
        for i, (one, label) in enumerate(zip(stack, labels), start=1):
            painted = overlay_class_maps(image, ClassMaps([i], one[None], size_hw))
            cells.append(Cell(painted, "" if number else label))
        rows[method] = cells
    colours = voc_palette()[1 : len(labels) + 1]
    legend = [(label, f"#{r:02x}{g:02x}{b:02x}") for label, (r, g, b) in zip(labels, colours.tolist())]
    return write_grid(path, rows, legend=legend)


def write_scale_sheet(
    path: Path, image: np.ndarray, labels: Sequence[str], maps: Mapping[float, np.ndarray]
) -> Path:
    """Write the maps of all scales and their sum: one row per class.

    Args:
        path: See `write_sheet`.
        image: `(H, W, 3) uint8` RGB.
        labels: T names of classes.
        maps: Scale -> `(T, H, W) float` in [0, 1].

    Returns:
        `path`.

    Raises:
        InputError: See `write_sheet`.
    """
    _check(image, labels, maps)
    total = sum(maps.values())
    total = total / np.maximum(total.max(axis=(1, 2), keepdims=True), 1e-12)
    rows = {}
    for row, label in enumerate(labels):
        cells = [Cell(image, "" if row else "photograph")]
        for scale, stack in maps.items():
            cells.append(Cell(_painted(image, stack[row]), "" if row else f"scale {scale:g}"))
        rows[label] = [*cells, Cell(_painted(image, total[row]), "" if row else "sum")]
    return write_grid(path, rows, colour_bar=MEANING)


def _check(image: np.ndarray, labels: Sequence[str], maps: Mapping[object, np.ndarray]) -> None:
    if not maps or not labels:
        raise InputError("a sheet needs at least one label and one method")
    for name, stack in maps.items():
        if np.shape(stack) != (len(labels), *np.shape(image)[:2]):
            raise InputError(
                f"maps of `{name}` must be (T, H, W) = {(len(labels), *np.shape(image)[:2])}; got {np.shape(stack)}"
            )


def _painted(image: np.ndarray, one: np.ndarray) -> np.ndarray:
    return overlay(in_gray(image), np.clip(one, 0, 1))
