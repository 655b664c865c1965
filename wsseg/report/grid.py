"""Pictures in rows and columns in one file, with titles, a colour bar and a legend of classes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from wsseg.artifacts import write_atomically
from wsseg.errors import InputError
from wsseg.report.overlay import MAP_COLOURS

CELL_WIDTH = 2.6
"""Width of one picture, inches at 150 dots per inch."""

TITLE, BAR, LEGEND = 0.3, 0.7, 0.35
"""Space for a row's titles, the colour bar and the legend, inches."""


@dataclass(frozen=True)
class Cell:
    """One picture.

    Attributes:
        picture: `(H, W, 3) uint8` RGB.
        title: Title above the picture; empty for none.
    """

    picture: np.ndarray
    title: str = ""


def write_grid(
    path: Path,
    rows: Mapping[str, Sequence[Cell]],
    colour_bar: str | None = None,
    legend: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write pictures as one PNG.

    Args:
        path: PNG file to write; its folder is created if needed.
        rows: Name of a row, which is written at its left -> pictures of the row. Rows may differ in length.
        colour_bar: Label of the colour bar for maps in [0, 1]; None for no bar.
        legend: `(name, "#rrggbb")` of each class in the pictures.

    Returns:
        `path`.

    Raises:
        InputError: There is no row, or a row has no picture.
    """
    path = Path(path)
    if not rows or not all(rows.values()):
        raise InputError("a sheet needs at least one picture in each row")
    columns = max(len(row) for row in rows.values())
    height, width = next(iter(rows.values()))[0].picture.shape[:2]
    titled = [any(cell.title for cell in row) for row in rows.values()]
    tall = len(rows) * (CELL_WIDTH * height / width + 0.1) + TITLE * sum(titled) + (LEGEND if legend else 0)
    wide = columns * CELL_WIDTH + 0.3 + (BAR if colour_bar else 0)
    figure = Figure(figsize=(wide, tall), layout="constrained", facecolor="white")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, row) in zip(grid, rows.items()):
        for axes in axes_row:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        for axes, cell in zip(axes_row, row):
            axes.imshow(cell.picture, interpolation="antialiased")
            axes.set_title(cell.title, fontsize=9, parse_math=False)
        axes_row[0].set_ylabel(re.sub(r"(?<=[:,])(?=.)", "\n", name), fontsize=9, parse_math=False)
    if colour_bar:
        scale = ScalarMappable(Normalize(0, 1), MAP_COLOURS)
        bar = figure.colorbar(scale, ax=grid, shrink=min(1, 2.2 / tall), aspect=16, pad=0.01)
        bar.set_label(colour_bar, fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
    if legend:
        patches = [Patch(color=colour, label=name) for name, colour in legend]
        shown = figure.legend(
            handles=patches, loc="outside lower left", ncols=len(patches), fontsize=8, frameon=False
        )
        for text in shown.get_texts():
            text.set_parse_math(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=150))
    return path
