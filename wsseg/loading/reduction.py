"""Reduce large photographs for a network, and enlarge its predictions to the original size. NumPy and Pillow only."""

import numpy as np
from PIL import Image

MAX_SIDE = 1536
"""Largest long side of an image, pixels. Larger images are reduced, as a network's memory grows with the area."""


def reduced_size(size_hw: tuple[int, int], max_side: int | None = MAX_SIDE) -> tuple[int, int]:
    """Return the size of an image after its long side is reduced to at most `max_side`; None does not change it.

    Example:
        >>> reduced_size((3000, 4000), 1536), reduced_size((375, 500), 1536)
        ((1152, 1536), (375, 500))
    """
    long_side = max(size_hw)
    if max_side is None or long_side <= max_side:
        return size_hw
    height, width = (max(round(side * max_side / long_side), 1) for side in size_hw)
    return height, width


def reduced(image: np.ndarray, max_side: int | None = MAX_SIDE) -> np.ndarray:
    """Reduce an image `(H, W, 3) uint8` to `reduced_size`, antialiased; a smaller image is returned unchanged."""
    height, width = reduced_size(image.shape[:2], max_side)
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def enlarged(probabilities: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize probabilities bilinearly (half-pixel centres) to an image's own size.

    Args:
        probabilities: `(h, w, K) float32`.
        size_hw: Wanted height and width, at least `(h, w)`.

    Returns:
        `(H, W, K) float32`, 4 bytes per pixel and class; the argument itself if it has this size.
    """
    if probabilities.shape[:2] == tuple(size_hw):
        return probabilities
    result = np.empty((*size_hw, probabilities.shape[-1]), np.float32)
    for k in range(probabilities.shape[-1]):
        result[..., k] = _resized(probabilities[..., k], size_hw)
    return result


def enlarged_argmax(probabilities: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the class with the highest probability at each pixel of an image's own size.

    The result equals `enlarged(probabilities, size_hw).argmax(-1)`, but only one class is in memory at a time.

    Args:
        probabilities: `(h, w, K) float32`, K up to 256.
        size_hw: Wanted height and width, at least `(h, w)`.

    Returns:
        `(H, W) uint8`; if probabilities are equal, the first class.

    Example:
        >>> enlarged_argmax(np.array([[[0.9, 0.1], [0.3, 0.7]]], np.float32), (1, 4)).tolist()
        [[0, 0, 1, 1]]
    """
    if probabilities.shape[:2] == tuple(size_hw):
        return probabilities.argmax(-1).astype(np.uint8)
    labels, highest = np.zeros(size_hw, np.uint8), _resized(probabilities[..., 0], size_hw)
    for k in range(1, probabilities.shape[-1]):
        candidate = _resized(probabilities[..., k], size_hw)
        labels[candidate > highest] = k
        np.maximum(highest, candidate, out=highest)
    return labels


def _resized(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize one map `(h, w)`. The result is writable."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.array(image.resize((size_hw[1], size_hw[0]), Image.Resampling.BILINEAR))
