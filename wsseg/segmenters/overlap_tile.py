"""Predict an image of any size in overlapping tiles of one size, mirrored beyond the image's borders."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError


def overlap_tile(
    network: keras.Model | Callable[[np.ndarray], Any],
    image: np.ndarray,
    tile: int | tuple[int, int],
    margin: int | None = None,
    stride: int | None = None,
    batch_size: int = 4,
) -> np.ndarray:
    """Predict overlapping tiles and join their inner parts.

    Beyond its borders the image is mirrored without repeating the border pixel (`np.pad`'s "reflect", repeated
    if the image is smaller than the missing part). Tiles begin at multiples of `stride`, so that poolings use
    the same pixels as in the whole image: if the receptive field of a pixel lies both in its tile and in the
    image, the result equals the network's result on the whole image. All tiles have one shape and all batches
    one size, so the network is traced once.

    Args:
        network: A segmenter, or a function `(B, h, w, C)` -> `(B, h, w, K)`, or -> `(B, h - 2 margin,
            w - 2 margin, K)` for a network without padding.
        image: `(H, W, C)`, of any size from 1 x 1.
        tile: Size of a tile at the network's input, pixels: one side, or `(h, w)`.
        margin: Number of pixels at each border of a tile whose result is not used. None for the margin of a
            segmenter without padding. A network with padding needs a value, because the padding changes its
            result near the tile's borders.
        stride: Stride of the network's coarsest features, pixels. None for the stride of a segmenter, or 1 for a
            function.
        batch_size: Number of tiles per step.

    Returns:
        `(H, W, K)` float32: the network's result for each pixel.

    Raises:
        InputError: The network does not support the tile, the tile is too small for its margin, or the output
            fits neither kind of network.

    Example:
        >>> ramp = np.arange(5.0).reshape(1, 5, 1)
        >>> def neighbours(batch):  # 1 x 3 sums without padding at the sides
        ...     return (batch[:, :, :-2] + batch[:, :, 1:-1] + batch[:, :, 2:])[:, 1:-1]
        >>> overlap_tile(neighbours, ramp, tile=4, margin=1).ravel().tolist()
        [2.0, 3.0, 6.0, 9.0, 10.0]

    References:
        Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015,
        section 1 and figure 2.
    """
    tile_hw = (tile, tile) if isinstance(tile, int) else tuple(tile)
    if margin is None:
        margin = getattr(network, "margin", 0)
        if not margin:
            raise InputError("`margin` must be given for a network with padding or a function; try 64 to 128")
    sizes = getattr(network, "sizes", None)
    if stride is None:
        stride = getattr(network, "output_stride", 1)
    if sizes is not None:
        sizes.check(tile_hw, network.name)
    _check(image, tile_hw, margin, stride, batch_size)

    size_hw = image.shape[:2]
    begins, kept = zip(*(_axis(*axis, margin, stride) for axis in zip(size_hw, tile_hw)))
    places = [(top, left) for top in begins[0] for left in begins[1]]
    predict = network.predict_on_batch if isinstance(network, keras.Model) else network
    result = None
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        tiles = np.stack([_mirrored_tile(image, place, tile_hw) for place in batch])
        missing = batch_size - len(batch)  # the last batch is filled up to the shape of the others
        tiles = np.concatenate([tiles, np.repeat(tiles[-1:], missing, axis=0)])
        scores = _inner(np.asarray(predict(tiles)), tile_hw, margin)
        if result is None:
            result = np.empty((*size_hw, scores.shape[-1]), "float32")
        for place, part in zip(batch, scores):
            target, source = zip(*(_overlap(b + margin, k, n) for b, k, n in zip(place, kept, size_hw)))
            result[target] = part[source]
    return result


def _check(image: np.ndarray, tile_hw: tuple[int, int], margin: int, stride: int, batch_size: int) -> None:
    if image.ndim != 3 or 0 in image.shape:
        raise InputError(f"`image` must be (H, W, C); got shape {image.shape}; give one image, not a batch")
    for name, value, least in (("margin", margin, 0), ("stride", stride, 1), ("batch_size", batch_size, 1)):
        if value < least:
            raise InputError(f"`{name}` must be at least {least}; got {value}")
    for side in tile_hw:
        if side - 2 * margin < stride:
            raise InputError(
                f"`tile` of {side} pixels leaves {side - 2 * margin} pixels of output with a margin of {margin}; "
                f"it must leave at least {stride}, the network's stride; try {2 * margin + 8 * stride} or more"
            )


def _axis(size: int, tile: int, margin: int, stride: int) -> tuple[list[int], int]:
    """Return the first pixel of each tile on one axis (multiples of `stride`), and the length kept of each tile."""
    kept = (tile - 2 * margin) // stride * stride
    first = -(-margin // stride) * stride
    return [begin - first for begin in range(0, size + first - margin, kept)], kept


def _mirrored_tile(image: np.ndarray, place: tuple[int, int], tile_hw: tuple[int, int]) -> np.ndarray:
    rows, columns = (
        _mirrored(np.arange(begin, begin + side), size)
        for begin, side, size in zip(place, tile_hw, image.shape[:2])
    )
    return image[rows[:, None], columns[None]]


def _mirrored(index: np.ndarray, size: int) -> np.ndarray:
    """Return the image's pixel for each index, inside the image or mirrored at its borders."""
    if size == 1:
        return np.zeros_like(index)
    index = index % (2 * size - 2)
    return np.minimum(index, 2 * size - 2 - index)


def _inner(scores: np.ndarray, tile_hw: tuple[int, int], margin: int) -> np.ndarray:
    """Return the part of the tiles' output inside the margin."""
    inner_hw = tuple(side - 2 * margin for side in tile_hw)
    if scores.ndim == 4 and scores.shape[1:3] == tile_hw:
        return scores[:, margin : margin + inner_hw[0], margin : margin + inner_hw[1]]
    if scores.ndim == 4 and scores.shape[1:3] == inner_hw:
        return scores
    raise InputError(
        f"`network` gives {scores.shape} for tiles of {tile_hw[0]} x {tile_hw[1]} pixels; "
        f"with `margin` {margin} it must give their size, or {inner_hw[0]} x {inner_hw[1]}"
    )


def _overlap(begin: int, length: int, size: int) -> tuple[slice, slice]:
    """Return the overlap of a piece that begins at `begin` with an axis: as slices of the axis and of the piece."""
    low, high = max(begin, 0), min(begin + length, size)
    return slice(low, high), slice(low - begin, high - begin)
