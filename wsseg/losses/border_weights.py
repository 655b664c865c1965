"""U-Net's weight map: pixels between neighbouring objects weigh more."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from wsseg.artifacts import IGNORE
from wsseg.errors import InputError


def border_weights(
    mask: np.ndarray,
    w0: float = 10.0,
    sigma: float = 5.0,
    class_weights: str | Sequence[float] | None = "balanced",
    ignore: int = IGNORE,
) -> np.ndarray:
    """Weigh the pixels of a mask: w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2)).

    d1 and d2 are the distances to the borders of the nearest and the second nearest object. An object is a
    4-connected piece of one foreground class. From outside an object, the distance to its border is that to its
    nearest pixel; from inside, that to the nearest pixel that is not of the object. With fewer than two objects
    there is only w_c.

    Args:
        mask: `(H, W)` integers: 0 = background, classes from 1, or `ignore`.
        w0: Height of the border term.
        sigma: Its width, pixels.
        class_weights: w_c: "balanced", n / (k n_c) where n pixels are known, k classes occur and n_c pixels are of
            class c, so that classes weigh the same and the mean is 1 (the paper does not give its formula); or a
            weight for each class, background first; or None for 1.
        ignore: The value of pixels that get weight 0 and belong to no object.

    Returns:
        `(H, W)` float32.

    Raises:
        InputError: A mask of another form, or class weights that don't fit it.

    References:
        Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015, equation 2 †;
        w0 = 10 and sigma = 5 pixels there. († quoted from memory.)

    Example:
        >>> row = np.array([[1, 0, 0, 1]])  # d1 + d2 = 1 + 2 between the two objects
        >>> border_weights(row, w0=10, sigma=5, class_weights=None)[0, 1].round(4)  # 1 + 10 exp(-9 / 50)
        np.float32(9.3527)
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype.kind not in "iu":
        raise InputError(f"`mask` must be (H, W) integers; got {mask.shape} {mask.dtype}")
    weights = _class_weights(mask, class_weights, ignore)
    nearest = np.full(mask.shape, np.inf)
    second = nearest.copy()
    for class_id in np.setdiff1d(mask, [0, ignore]):
        objects, count = ndimage.label(mask == class_id)
        for index in range(1, count + 1):
            distance = _distance_to_border(objects == index)
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    weights += w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    weights[mask == ignore] = 0
    return weights.astype(np.float32)


def _distance_to_border(inside: np.ndarray) -> np.ndarray:
    if inside.all():
        return np.full(inside.shape, np.inf)
    return ndimage.distance_transform_edt(~inside) + ndimage.distance_transform_edt(inside)


def _class_weights(mask: np.ndarray, weights: str | Sequence[float] | None, ignore: int) -> np.ndarray:
    """Return w_c of each pixel, float64."""
    if weights is None:
        return np.ones(mask.shape)
    known = mask != ignore
    if isinstance(weights, str):
        if weights != "balanced":
            raise InputError(f"`class_weights` must be balanced, a list of numbers, or null; got {weights!r}")
        ids, index, counts = np.unique(mask[known], return_inverse=True, return_counts=True)
        result = np.zeros(mask.shape)
        result[known] = (known.sum() / (max(len(ids), 1) * counts))[index]
        return result
    if (highest := mask[known].max(initial=0)) >= len(weights):
        raise InputError(
            f"`class_weights` must have one for each class, background first; it has {len(weights)}, and a mask "
            f"has class {highest}"
        )
    return np.asarray(weights, float)[np.where(known, mask, 0)]
