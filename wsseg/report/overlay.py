"""Paint masks and maps over photographs."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps

from wsseg.artifacts import IGNORE, ClassMaps
from wsseg.errors import InputError
from wsseg.palette import colourise, voc_palette
from wsseg.refiners.resize_maps import resize_maps

MAP_COLOURS = "inferno"
"""Colour map whose lightness rises evenly, so that higher values look higher in gray and to the colour-blind too."""


def overlay(image: np.ndarray, mask_or_map: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """Paint a mask or a map over a photograph.

    Args:
        image: `(H, W, 3) uint8` RGB.
        mask_or_map: Mask or map. A mask is `(H, W)` integers. Its foreground is painted in the VOC palette over the
            photograph in gray, because the photograph's colours could be mistaken for a class's. A map is `(H, W)`
            float in [0, 1]. It is painted at all pixels, with the colour map `MAP_COLOURS`.
        alpha: Opacity of the paint, 0 to 1.

    Returns:
        `(H, W, 3) uint8` RGB.

    Raises:
        InputError: The sizes differ, or the map or `alpha` is outside [0, 1].

    Example:
        >>> image = np.full((1, 2, 3), 100, np.uint8)
        >>> overlay(image, np.array([[0, 1]]), alpha=0.5).tolist()
        [[[100, 100, 100], [114, 50, 50]]]
    """
    image, paint = _checked(image), np.asarray(mask_or_map)
    if paint.shape != image.shape[:2]:
        raise InputError(f"`mask_or_map` must be (H, W) = {image.shape[:2]}; got {paint.shape}")
    if not 0 <= alpha <= 1:
        raise InputError(f"`alpha` must be in [0, 1]; got {alpha}; try 0.5")
    if paint.dtype.kind in "iu":
        return _blended(in_gray(image), colourise(paint), np.where(paint == 0, 0, alpha))
    if paint.size and not (paint.min() >= 0 and paint.max() <= 1):  # written so that nan fails too
        found = f"{paint.min():.4g}..{paint.max():.4g}"
        raise InputError(f"a map must lie in [0, 1]; got {found}; divide it by its maximum")
    colours = colormaps[MAP_COLOURS](np.asarray(paint, np.float32), bytes=True)[..., :3]
    return _blended(image, colours, np.full(paint.shape, alpha))


def overlay_class_maps(image: np.ndarray, class_maps: ClassMaps, alpha: float = 0.85) -> np.ndarray:
    """Paint the class maps of an image over it: the colour shows the class, the opacity shows the map's value.

    Args:
        image: `(H, W, 3) uint8` RGB.
        class_maps: Class maps in [0, 1]. Each pixel shows the highest map, in its class's VOC colour.
        alpha: Opacity of a map value of 1.

    Returns:
        `(H, W, 3) uint8` RGB: The photograph in gray, with the paint over it.

    Raises:
        InputError: The maps belong to an image of another size.
    """
    image = _checked(image)
    if tuple(class_maps.size_hw) != image.shape[:2]:
        size_hw = tuple(class_maps.size_hw)
        raise InputError(f"the class maps belong to an image of (H, W) {size_hw}; got {image.shape}")
    gray = in_gray(image)
    if len(class_maps.maps) == 0:
        return gray
    maps = resize_maps(class_maps.maps, image.shape[:2])
    winner = np.asarray(class_maps.class_ids)[maps.argmax(0)]
    return _blended(gray, colourise(winner), alpha * np.clip(maps.max(0), 0, 1))


def legend(class_names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the legend of a mask's colours.

    Args:
        class_names: Class names in id order, background first.

    Returns:
        `(name, "#rrggbb")` of each class in the VOC palette, and of 255, "unsure", at the end.

    Example:
        >>> legend(["background", "cat"])
        (('background', '#000000'), ('cat', '#800000'), ('unsure', '#e0e0c0'))
    """
    if len(class_names) > IGNORE:
        raise InputError(f"`class_names` must be at most {IGNORE} names; got {len(class_names)}")
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in voc_palette().tolist()]
    return (*zip(class_names, colours), ("unsure", colours[IGNORE]))


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise InputError(f"`image` must be (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}")
    return image


def in_gray(image: np.ndarray) -> np.ndarray:
    """Return a photograph in gray, `(H, W, 3) uint8`: its luma by ITU-R BT.601, as in Pillow's mode L."""
    luma = (image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    return np.repeat(luma[..., None], 3, -1)


def _blended(image: np.ndarray, colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    alpha = alpha[..., None].astype(np.float32)
    return np.rint((1 - alpha) * image + alpha * colours).astype(np.uint8)
