"""U-Net's weight map: pixels between neighbouring objects have larger weights."""

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
    """Compute the pixel weights of a mask: w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2)).

    d1 and d2 are the distances to the borders of the nearest and the second nearest object. An object is a
    4-connected component of one foreground class. For a pixel outside an object, the distance to its border is the
    distance to the object's nearest pixel; for a pixel inside, the distance to the nearest pixel outside. With fewer
    than two objects the weight is w_c alone.

    Args:
        mask: `(H, W)` integers: 0 = background, classes from 1, or `ignore`.
        w0: Height of the border term.
        sigma: Width of the border term, pixels.
        class_weights: Class weights w_c. "balanced": n / (k n_c), where n pixels are known, k classes occur and n_c
            pixels belong to class c; then all classes have the same total weight and the mean is 1 (the paper does not
            give its formula). Or a weight for each class, background first. Or None for 1.
        ignore: Mask value of pixels that get weight 0 and belong to no object.

    Returns:
        `(H, W)` float32.

    Raises:
        InputError: The mask has another form, or the class weights don't fit it.

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
    objects, count = _objects(mask, ignore)
    if count > 1:
        weights += w0 * np.exp(-(_two_distances(objects, count) ** 2) / (2 * sigma**2))
    weights[mask == ignore] = 0
    return weights.astype(np.float32)


def _objects(mask: np.ndarray, ignore: int) -> tuple[np.ndarray, int]:
    """Return each pixel's object number (0 for no object) and the number of objects."""
    objects, count = np.zeros(mask.shape, np.int32), 0
    for class_id in np.setdiff1d(mask, [0, ignore]):
        pieces, found = ndimage.label(mask == class_id)
        objects += np.where(pieces, pieces + count, 0).astype(np.int32)
        count += found
    return objects, count


def _two_distances(objects: np.ndarray, count: int) -> np.ndarray:
    """Return d1 + d2 of each pixel, `(H, W)`; the number of distance transforms grows as log2(count).

    One transform gives the nearest object. The number of every other object differs from the nearest one's in some
    binary digit. So the distance to the second nearest object is the minimum, over the digits, of the distance to the
    objects that differ in that digit. Inside an object, d2 is the distance to the nearest other object, and d1 is the
    smaller of d2 and the distance to the nearest pixel without an object.
    """
    inside = objects > 0
    d1, (rows, columns) = ndimage.distance_transform_edt(~inside, return_indices=True)
    numbers = objects - 1
    nearest = numbers[rows, columns]
    d2 = np.full(objects.shape, np.inf)
    for digit in range((count - 1).bit_length()):
        one = (numbers >> digit & 1).astype(bool)
        nearest_one = (nearest >> digit & 1).astype(bool)
        to_other = np.where(nearest_one, _distance_to(~one & inside), _distance_to(one & inside))
        np.minimum(d2, to_other, out=d2)
    return np.where(inside, np.minimum(_distance_to(~inside), d2), d1) + d2


def _distance_to(where: np.ndarray) -> np.ndarray:
    return ndimage.distance_transform_edt(~where) if where.any() else np.full(where.shape, np.inf)


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
            f"`class_weights` must have one for each class, background first; it has {len(weights)}, but a mask "
            f"has class {highest}"
        )
    return np.asarray(weights, float)[np.where(known, mask, 0)]
