"""Fills: the values that replace removed regions."""

import numpy as np
from PIL import Image
from skimage.filters import gaussian
from skimage.restoration import inpaint_biharmonic

from wsseg.errors import InputError, nearest

FILLS = ("mean", "blur", "inpaint")
BLUR = 0.1
"""Standard deviation of the blur, as a fraction of the image's longer side: objects disappear, the lighting stays."""
INPAINTED_SHARE = 0.1
"""Largest share of the image at which a region is inpainted; in larger gaps, biharmonic surfaces overshoot."""
INPAINT_SIDE = 56
"""Longer side in pixels at which inpainting is computed: its surfaces are smooth, and its run time is cubic."""


def fills_of(image: np.ndarray, masks: np.ndarray, kind: str) -> np.ndarray:
    """Return the values that replace the image in removed regions.

    Args:
        image: `(H, W, C)` uint8, such as RGB.
        masks: `(R, H, W)` bool, True in each removed region.
        kind: "mean" (the image's mean colour), "blur" (the blurred image), or "inpaint" (a biharmonic surface
            from the region's surroundings for regions of up to a tenth of the image, else the blur).

    Returns:
        Float32 in [0, 255]: `(1, H, W, C)` if all regions share one fill image (mean, blur), else `(R, H, W, C)`.

    Raises:
        InputError: `kind` is unknown.

    Example:
        >>> image = np.zeros((2, 2, 3), np.uint8)
        >>> image[0] = 100
        >>> fills_of(image, np.ones((1, 2, 2), bool), "mean")[0, 0, 0].tolist()
        [50.0, 50.0, 50.0]

    References:
        Fong and Vedaldi, Interpretable Explanations of Black Boxes by Meaningful Perturbation, ICCV 2017
        (constant and blur)†. Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic
        Functions, 2018; `skimage.restoration.inpaint_biharmonic`.
    """
    if kind not in FILLS:
        raise InputError(f"unknown `fill` {kind!r}; {nearest(str(kind), FILLS)}")
    values = np.asarray(image, np.float32)
    if kind == "mean":
        return np.broadcast_to(values.mean(axis=(0, 1)), (1, *values.shape)).astype(np.float32)
    sigma = BLUR * max(values.shape[:2])
    blurred = gaussian(values, (sigma, sigma, 0), mode="nearest", preserve_range=True)[None]
    blurred = blurred.astype(np.float32)
    if kind == "blur":
        return blurred
    result = np.repeat(blurred, len(masks), axis=0)
    for fill, mask in zip(result, masks):
        if 0 < mask.mean() <= INPAINTED_SHARE:
            fill[:] = _inpainted(values, mask)
    return result


def _inpainted(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Inpaint a region at a reduced size, and enlarge the result."""
    shrink = max(1, -(-max(mask.shape) // INPAINT_SIDE))
    height, width = (-(-side // shrink) for side in mask.shape)
    padding = ((0, height * shrink - mask.shape[0]), (0, width * shrink - mask.shape[1]))
    known = np.pad(~mask, padding)
    blocks = known.reshape(height, shrink, width, shrink)
    sums = np.pad(values * ~mask[..., None], (*padding, (0, 0)))
    sums = sums.reshape(height, shrink, width, shrink, values.shape[-1]).sum(axis=(1, 3))
    counts = blocks.sum(axis=(1, 3))
    small = sums / np.maximum(counts, 1)[..., None]
    # A cell with known pixels is the mean of only these, so nothing of the region leaks into its surroundings.
    filled = inpaint_biharmonic(small / 255, counts == 0, channel_axis=-1) * 255
    large = [
        np.asarray(
            Image.fromarray(filled[..., c].astype(np.float32)).resize(
                (width * shrink, height * shrink), Image.Resampling.BILINEAR
            )
        )
        for c in range(values.shape[-1])
    ]
    return np.clip(np.stack(large, axis=-1)[: mask.shape[0], : mask.shape[1]], 0, 255)
