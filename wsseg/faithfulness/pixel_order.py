"""The order in which a map ranks an image's pixels."""

import numpy as np

from wsseg.errors import InputError
from wsseg.metrics.map_checks import checked


def pixel_order(map_hw: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the pixels from the most to the least relevant; equally relevant pixels are in random order.

    Most maps are 0 in large areas. A stable sort would order these areas row by row from the top, although the map
    defines no order there.

    Args:
        map_hw: `(H, W)` real map.
        seed: Random seed of the order of equally relevant pixels.

    Returns:
        `(H * W,)` int: indices into the flattened map.

    Example:
        >>> pixel_order(np.array([[0.1, 0.9], [0.5, 0.3]])).tolist()
        [1, 2, 3, 0]
    """
    values = checked(map_hw).ravel()
    return np.lexsort((np.random.default_rng(seed).random(values.size), -values))


def image_and_map(image: np.ndarray, map_hw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image as float32 and its map as float64, after a check of their sizes.

    Raises:
        InputError: The image is not `(H, W, C)`, or the map has another size.
    """
    image, values = np.asarray(image, np.float32), checked(map_hw)
    if image.ndim != 3 or image.shape[:2] != values.shape:
        raise InputError(
            f"`image` {image.shape} must be (H, W, channels) and `map_hw` {values.shape} its (H, W); resize the map"
        )
    return image, values
