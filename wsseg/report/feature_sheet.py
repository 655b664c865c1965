"""What the channels of a layer respond to: a row a channel, the strongest first."""

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
    """Write the images that each channel responds to most, its map painted over them.

    Args:
        path: The PNG to write; its folder is made if needed.
        images: B photographs, each `(H, W, 3) uint8` RGB of one size.
        channels: C channel numbers, the strongest first.
        responses: `(B, C)`, how strongly a channel responds to an image.
        maps: C arrays `(B, H, W)` in [0, 1], scaled by the channel's highest value in any of the images.
        columns: Images of a row, those that respond most; with a single image, channels fill the row instead.

    Returns:
        `path`.

    Raises:
        InputError: The numbers of channels, images or maps differ.
    """
    if not len(channels) == len(maps) == np.shape(responses)[1] or len(images) != np.shape(responses)[0]:
        raise InputError(
            f"{len(channels)} channels and {len(images)} images need maps and responses of as many; got {len(maps)} "
            f"maps and responses {np.shape(responses)}"
        )
    if len(images) == 1:
        cells = [
            Cell(overlay(in_gray(images[0]), stack[0]), f"channel {channel}: {responses[0, place]:.2f}")
            for place, (channel, stack) in enumerate(zip(channels, maps))
        ]
        rows = {f"from {i + 1}": cells[i : i + columns] for i in range(0, len(cells), columns)}
    else:
        rows = {}
        for place, (channel, stack) in enumerate(zip(channels, maps)):
            most = np.argsort(-responses[:, place], kind="stable")[:columns]
            rows[f"channel {channel}"] = [
                Cell(overlay(in_gray(images[i]), stack[i]), f"{responses[i, place]:.2f}") for i in most
            ]
    return write_grid(path, rows, colour_bar="share of the channel's maximum")
