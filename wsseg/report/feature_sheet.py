"""A sheet of the images and regions to which a layer's channels respond, the strongest channel first."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsseg.errors import InputError
from wsseg.report.grid import Cell, write_grid
from wsseg.report.overlay import in_gray, overlay


def write_feature_sheet(
    path: Path,
    images: Sequence[np.ndarray],
    channels: Sequence[int],
    responses: np.ndarray,
    maps: Sequence[np.ndarray],
    columns: int = 6,
) -> Path:
    """Write the images with each channel's strongest responses, with the channel's map painted over them.

    Args:
        path: PNG file to write; its folder is created if needed.
        images: B photographs, each `(H, W, 3) uint8` RGB, all of one size.
        channels: C channel indices, the strongest first.
        responses: `(B, C)`: Strength of each channel's response to each image.
        maps: C arrays `(B, H, W)` in [0, 1], scaled by the channel's highest value in all images.
        columns: Number of pictures per row. A row shows the images with a channel's strongest responses; with a single
            image, it shows several channels instead.

    Returns:
        `path`.

    Raises:
        InputError: The numbers of channels, images and maps differ.
    """
    if not len(channels) == len(maps) == np.shape(responses)[1] or len(images) != np.shape(responses)[0]:
        raise InputError(
            f"{len(channels)} channels and {len(images)} images need {len(channels)} maps and responses "
            f"({len(images)}, {len(channels)}); got {len(maps)} maps and responses {np.shape(responses)}"
        )
    if len(images) == 1:
        cells = [
            Cell(overlay(in_gray(images[0]), stack[0]), f"channel {channel}: {responses[0, index]:.2f}")
            for index, (channel, stack) in enumerate(zip(channels, maps))
        ]
        rows = {f"from {i + 1}": cells[i : i + columns] for i in range(0, len(cells), columns)}
    else:
        rows = {}
        for index, (channel, stack) in enumerate(zip(channels, maps)):
            most = np.argsort(-responses[:, index], kind="stable")[:columns]
            rows[f"channel {channel}"] = [
                Cell(overlay(in_gray(images[i]), stack[i]), f"{responses[i, index]:.2f}") for i in most
            ]
    return write_grid(path, rows, colour_bar="share of the channel's maximum")
