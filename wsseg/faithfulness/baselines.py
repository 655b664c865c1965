"""Maps that do not depend on the model; a method must score better than these."""

import zlib

import numpy as np
from scipy import ndimage


def centre(images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return a Gaussian at the image's centre, since photographers centre objects.

    Its standard deviation is a quarter of each side. Choe et al. (CVPR 2020, section 5.1) compare every method with
    it; few were better.

    Args:
        images: `(B, H, W, C)` images.
        targets: `(B,)` or `(B, T)`; only their shape is used.

    Returns:
        `(B, H, W)` or `(B, T, H, W)` float32 in [0, 1].
    """
    y, x = (((np.arange(side) + 0.5) / side - 0.5) / 0.25 for side in np.shape(images)[1:3])
    gaussian = np.exp(-0.5 * (y[:, None] ** 2 + x[None] ** 2))
    return _for_each(np.broadcast_to(gaussian, np.shape(images)[:3]), targets)


def edges(images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the magnitude of the image's Sobel gradient, the baseline of Adebayo et al.; arguments as in `centre`."""
    grey = np.asarray(images, np.float64).mean(axis=-1)
    return _for_each(np.hypot(*(ndimage.sobel(grey, axis) for axis in (1, 2))), targets)


def random(images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return uniform noise, drawn from the image's checksum (equal images, equal noise); arguments as in `centre`."""
    images = np.asarray(images)
    seeds = (zlib.crc32(np.ascontiguousarray(image).tobytes()) for image in images)
    noise = np.stack([np.random.default_rng(seed).random(images.shape[1:3]) for seed in seeds])
    return _for_each(noise, targets)


BASELINES = {"centre": centre, "edges": edges, "random": random}
"""Name -> function of images and targets, called like an explainer."""


def _for_each(maps_bhw: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Divide each map by its maximum and repeat it for the targets of its image."""
    peak = maps_bhw.max(axis=(1, 2), keepdims=True)
    maps = np.divide(maps_bhw, peak, out=np.zeros(maps_bhw.shape), where=peak > 0).astype(np.float32)
    shape = np.shape(targets)
    return maps if len(shape) == 1 else np.repeat(maps[:, None], shape[1], axis=1)
