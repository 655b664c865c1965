"""One picture that explains a photograph: methods down, classes across."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wsseg.artifacts import write_atomically
from wsseg.errors import InputError
from wsseg.report.overlay import overlay

CELL_WIDTH = 2.6
"""Width of one picture in the sheet, inches at 150 dots."""


def write_sheet(path: Path, image: np.ndarray, labels: Sequence[str], maps: Mapping[str, np.ndarray]) -> Path:
    """Write the photograph beside its maps, painted over it.

    Args:
        path: The PNG to write; its folder is made if needed.
        image: `(H, W, 3) uint8` RGB.
        labels: T column titles, such as "Egyptian cat 0.41".
        maps: Method -> `(T, H, W) float` in [0, 1], one map for each label. A row each.

    Returns:
        `path`.

    Raises:
        InputError: There is no map, or the maps do not fit the labels or the photograph.
    """
    path, columns = Path(path), len(labels) + 1
    if not maps or not labels:
        raise InputError("a sheet needs at least one label and one method")
    for method, stack in maps.items():
        if np.shape(stack) != (len(labels), *np.shape(image)[:2]):
            raise InputError(
                f"maps of `{method}` must be (T, H, W) = {(len(labels), *np.shape(image)[:2])}; "
                f"got {np.shape(stack)}"
            )
    cell_height = CELL_WIDTH * np.shape(image)[0] / np.shape(image)[1]
    # Titles take about 0.3 inches.
    size = (columns * CELL_WIDTH, len(maps) * (cell_height + 0.1) + 0.3)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    grid = figure.subplots(len(maps), columns, squeeze=False)
    for row, (method, stack) in zip(grid, maps.items()):
        pictures = [image, *(overlay(image, np.clip(one, 0, 1)) for one in stack)]
        for axes, picture in zip(row, pictures):
            axes.imshow(picture, interpolation="antialiased")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        row[0].set_ylabel(method, fontsize=9, parse_math=False)
    for axes, label in zip(grid[0], ["photograph", *labels]):
        axes.set_title(label, fontsize=9, parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=150))
    return path
