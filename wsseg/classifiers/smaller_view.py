"""A smaller view of an image, and its maps resampled to the cells of the image."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.grid import Grid
from wsseg.layers.bilinear_rescale import scaled_side
from wsseg.layers.bilinear_resize import resize_bilinear
from wsseg.layers.grid_rules import resampled
from wsseg.layers.masked_pooling import valid_cells
from wsseg.loading.augment import FILL_RGB


def margins(grid: Grid) -> list[tuple[int, int]]:
    """Return the pixels to add to a view so that displaced cells cover all of it.

    The margins are whole cells, so that the cells do not move relative to the view.

    Args:
        grid: Grid of the cells.

    Returns:
        `[(top, bottom), (left, right)]`.

    Example:
        >>> margins(Grid((16.0, 16.0), (31.0, 0.0)))  # MobileNet's rows, ResNet's columns
        [(32, 0), (0, 16)]
    """
    cells = [displaced / stride for displaced, stride in zip(grid.displacement_hw, grid.stride_hw)]
    return [
        (max(int(np.ceil(n)), 0) * int(stride), max(int(np.ceil(-n)), 0) * int(stride))
        for n, stride in zip(cells, grid.stride_hw)
    ]


class _View(keras.layers.Layer):
    """Base class of both directions, with the scale and the grid.

    Args:
        scale: Scale of the smaller view.
        stride_hw: Pixels between two cells.
        centre_hw: Pixel at which cell 0 looks.
    """

    def __init__(
        self, scale: float, stride_hw: tuple[float, float], centre_hw: tuple[float, float], **kwargs: Any
    ):
        super().__init__(**kwargs | {"dtype": "float32"})
        self.scale, self.grid = scale, Grid(tuple(stride_hw), tuple(centre_hw))
        self.margins = margins(self.grid)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"scale": self.scale, "stride_hw": self.grid.stride_hw, "centre_hw": self.grid.centre_hw}
        return super().get_config() | own


@keras.saving.register_keras_serializable(package="wsseg")
class SmallerView(_View):
    """Make images and their validity masks smaller, and add a margin in the mean colour for displaced cells.

    The validity mask is shifted relative to the view by the displacement, so that a cell counts if it looks into the
    image (`MaskedGlobalAveragePooling2D`).
    """

    output_grid = resampled

    def call(self, images, valid):
        """Turn images `(B, H, W, 3)` and masks `(B, H, W)` into smaller ones, `(B, H', W', 3)` and `(B, H', W')`."""
        size_hw = [scaled_side(side, self.scale) for side in ops.shape(images)[1:3]]
        fill = ops.convert_to_tensor(FILL_RGB, dtype=images.dtype)
        smaller = resize_bilinear(images, size_hw)
        valid = valid_cells(valid, smaller)[..., 0]
        smaller = ops.pad(smaller - fill, [(0, 0), *self.margins, (0, 0)]) + fill
        moved = []
        for pair, stride, centre in zip(self.margins, self.grid.stride_hw, self.grid.centre_hw):
            # Pooling reads the validity of cell 0 half a stride from the border. The pixel at which this cell looks
            # must lie there.
            before = int(np.floor(stride / 2 - (centre - pair[0])))
            moved.append((before, sum(pair) - before))
        return smaller, ops.pad(valid, [(0, 0), *moved])

    def compute_output_shape(self, images_shape, valid_shape):
        """Return both shapes."""
        sides = [
            None if side is None else scaled_side(side, self.scale) + sum(pair)
            for side, pair in zip(images_shape[1:3], self.margins)
        ]
        return (images_shape[0], *sides, images_shape[3]), (images_shape[0], *sides)


@keras.saving.register_keras_serializable(package="wsseg")
class OnImageCells(_View):
    """Read maps of the smaller view at the positions where the cells of the image's maps look."""

    output_grid = resampled

    def call(self, maps, like, images):
        """Read `(B, h', w', M)` at the cells of `like`, `(B, h, w, any)`, of the whole images `(B, H, W, 3)`."""
        for axis in (0, 1):
            stride, centre = self.grid.stride_hw[axis], self.grid.centre_hw[axis]
            pixels = ops.shape(images)[1 + axis]
            ratio = ops.cast(scaled_side(pixels, self.scale), "float32") / ops.cast(pixels, "float32")
            looked = stride * ops.arange(ops.shape(like)[1 + axis], dtype="float32") + centre
            looked = (looked + 0.5) * ratio - 0.5 + self.margins[axis][0]
            cells = ops.shape(maps)[1 + axis]
            position = ops.clip((looked - centre) / stride, 0.0, ops.cast(cells, "float32") - 1.0)
            distance = ops.abs(position[:, None] - ops.arange(cells, dtype="float32")[None])
            weights = ops.maximum(1.0 - distance, 0.0)
            maps = ops.einsum("yh,bhwc->bywc" if axis == 0 else "xw,bywc->byxc", weights, maps)
        return maps

    def compute_output_shape(self, maps_shape, like_shape, images_shape):
        """Return the shape of `like`, with the channels of the maps."""
        return (*like_shape[:3], maps_shape[3])
