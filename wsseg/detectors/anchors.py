"""The anchors (reference boxes) of a region proposal network."""

import keras_cv
import numpy as np

from wsseg.errors import InputError

RATIOS = (0.5, 1.0, 2.0)
"""Ratios of width to height. Ren et al. 2015, section 3.1.1, give height to width, which are the same three numbers."""


def anchors(
    input_size: tuple[int, int],
    strides: tuple[int, ...],
    sides_over_stride: tuple[float, ...],
    ratios: tuple[float, ...] = RATIOS,
) -> list[np.ndarray]:
    """Return the anchors of each feature map.

    The anchors of a cell have its centre, `(i + 0.5) * stride` pixels. Cells are in row-major order; the anchors of a
    cell are consecutive: all ratios of the first side, then of the next. The area of an anchor is the square of its
    side at each ratio. Anchors are not clipped to the image.

    Args:
        input_size: `(H, W)` of the image, pixels.
        strides: Stride of each feature map, pixels.
        sides_over_stride: Sides of square anchors, in units of the map's stride.
        ratios: Ratios of width to height.

    Returns:
        One array per map, `(ceil(H / stride) * ceil(W / stride) * A, 4) float32`: left, top, right, bottom in pixels.

    Raises:
        InputError: A side or ratio is not positive.

    Example:
        >>> anchors((32, 32), (16,), (2.0,), (1.0,))[0].tolist()[:2]
        [[-8.0, -8.0, 24.0, 24.0], [8.0, -8.0, 40.0, 24.0]]

    References:
        Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.1. keras-cv's `AnchorGenerator` makes them.
    """
    for name, values in (("sides_over_stride", sides_over_stride), ("ratios", ratios)):
        if not values or any(not value > 0 for value in values):
            raise InputError(f"`{name}` must be positive numbers, at least one; got {values!r}")
    made = keras_cv.layers.AnchorGenerator(
        bounding_box_format="xyxy",
        sizes=list(strides),
        strides=list(strides),
        scales=list(sides_over_stride),
        aspect_ratios=list(ratios),
    )(image_shape=(*input_size, 3))
    return [np.array(made[level], np.float32) for level in range(len(strides))]
