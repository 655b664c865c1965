"""The reference boxes of a region proposal network."""

import keras_cv
import numpy as np

from wsseg.errors import InputError

RATIOS = (0.5, 1.0, 2.0)
"""Width over height (Ren et al. 2015, section 3.1.1, has them as height over width: the same three)."""


def anchors(
    input_size: tuple[int, int],
    strides: tuple[int, ...],
    sides_over_stride: tuple[float, ...],
    ratios: tuple[float, ...] = RATIOS,
) -> list[np.ndarray]:
    """Return the anchors of each feature map.

    A cell's anchors lie around its centre, `(i + 0.5) * stride` pixels, row by row; those of a cell side by side first
    of the first side, all ratios. An anchor's area is its side's square at each ratio; none is clipped.

    Args:
        input_size: `(H, W)` of the image, pixels.
        strides: Pixels a cell of each map.
        sides_over_stride: Sides of a map's square anchors, in its strides.
        ratios: Width over height.

    Returns:
        One `(ceil(H / stride) * ceil(W / stride) * A, 4) float32` a map: left, top, right, bottom in pixels.

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
