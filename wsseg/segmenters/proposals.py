"""Predict each object proposal of an image and keep the maximum score of each pixel."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.errors import InputError

ENLARGE = 1.2  # context around a proposal; section 4.2 of the paper


def predict_proposals(
    network: keras.Model | Callable[[np.ndarray], Any],
    image: np.ndarray,
    boxes_xyxy: np.ndarray | None = None,
    input_size: tuple[int, int] = (224, 224),
    enlarge: float = ENLARGE,
    batch_size: int = 8,
) -> np.ndarray:
    """Apply a network to each proposal and aggregate the scores by a pixel-wise maximum.

    P(x, y, c) = max_i G_i(x, y, c), where G_i is the score of proposal i inside its enlarged box and zero
    outside. So one box that covers the whole image gives the network's own scores, and the score of a pixel
    outside at least one box is never below 0 (the authors' code starts from zeros, so there no score is below
    0). The softmax comes after the maximum.

    An enlarged box may reach beyond the image; the crop is black there, as in the authors' code. Crops and scores
    are resized bilinearly (half-pixel centres, antialiased if they shrink).

    Args:
        network: Model or function: `(B, h, w, C)` in [0, 255] -> scores `(B, h, w, K)`.
        image: `(H, W, C)`, values in [0, 255].
        boxes_xyxy: `(N, 4)` left, top, right, bottom in pixels, right and bottom exclusive: the proposals,
            preferably from a proposal method (the authors use the 50 best edge boxes). None for `proposal_grid`.
        input_size: `(h, w)` of the network's input, pixels.
        enlarge: Factor by which the sides of each box are enlarged about its centre.
        batch_size: Number of crops per step.

    Returns:
        `(H, W, K)` float32 scores.

    Raises:
        InputError: The boxes have another form, are empty or lie outside the image; or the scores do not have the
            size of the network's input.

    Example:
        >>> image = np.full((4, 4, 3), 60.0)
        >>> halves = np.array([[0, 0, 2, 4], [0, 0, 4, 2]])
        >>> scores = predict_proposals(lambda crops: crops[..., :1] - 50, image, halves, (8, 8), enlarge=1)
        >>> scores[..., 0].round(3).tolist()
        [[10.0, 10.0, 10.0, 10.0], [10.0, 10.0, 10.0, 10.0], [10.0, 10.0, 0.0, 0.0], [10.0, 10.0, 0.0, 0.0]]

    References:
        Noh et al., Learning Deconvolution Network for Semantic Segmentation, ICCV 2015, sections 3.3, 4.2
        and 5.1 (equation 1).
    """
    if image.ndim != 3 or 0 in image.shape:
        raise InputError(f"`image` must be (H, W, C); got shape {image.shape}; give one image, not a batch")
    size_hw = image.shape[:2]
    boxes = _enlarged(proposal_grid(size_hw) if boxes_xyxy is None else boxes_xyxy, size_hw, enlarge)
    predict = network.predict_on_batch if isinstance(network, keras.Model) else network
    result, covering = None, np.zeros(size_hw, "int32")
    for start in range(0, len(boxes), batch_size):
        batch = boxes[start : start + batch_size]
        crops = np.stack([_resize(_crop(image, box), input_size) for box in batch])
        missing = batch_size - len(batch)  # the last batch is filled up to the shape of the others
        crops = np.concatenate([crops, np.repeat(crops[-1:], missing, axis=0)])
        scores = np.asarray(predict(crops), "float32")
        if scores.ndim != 4 or scores.shape[1:3] != tuple(input_size):
            raise InputError(
                f"`network` gives {scores.shape} for crops of {input_size[0]} x {input_size[1]} pixels; "
                "it must give scores of that size; use a network with padding"
            )
        if result is None:
            result = np.full((*size_hw, scores.shape[-1]), -np.inf, "float32")
        for box, crop_scores in zip(batch, scores):
            inside, own = _inside(box, size_hw)
            full = _resize(crop_scores, (box[3] - box[1], box[2] - box[0]))
            result[inside] = np.maximum(result[inside], full[own])
            covering[inside] += 1
    left_out = covering < len(boxes)
    result[left_out] = np.maximum(result[left_out], 0.0)
    return result


def proposal_grid(
    size_hw: tuple[int, int], fractions: Sequence[float] = (1.0, 0.5, 0.25), overlap: float = 0.5
) -> np.ndarray:
    """Return windows of several sizes over an image, as a substitute for a proposal method.

    Args:
        size_hw: Height and width of the image, pixels.
        fractions: Sides of the windows, as shares of the image's sides.
        overlap: Minimum share of a window that the next window covers too.

    Returns:
        `(N, 4)` float32 left, top, right, bottom; 59 by default (1 + 9 + 49), about as many as the paper's 50.

    Raises:
        InputError: A fraction is not in (0, 1], or the overlap is not in [0, 1).

    Example:
        >>> proposal_grid((40, 80), fractions=(0.5,), overlap=0.0).tolist()
        [[0.0, 0.0, 40.0, 20.0], [40.0, 0.0, 80.0, 20.0], [0.0, 20.0, 40.0, 40.0], [40.0, 20.0, 80.0, 40.0]]
    """
    if not fractions or not all(0 < fraction <= 1 for fraction in fractions):
        raise InputError(f"`fractions` must be in (0, 1]; got {fractions!r}; try (1.0, 0.5, 0.25)")
    if not 0 <= overlap < 1:
        raise InputError(f"`overlap` must be in [0, 1); got {overlap!r}; try 0.5")
    boxes = []
    height, width = size_hw
    for fraction in fractions:
        count = math.ceil((1 - fraction) / (fraction * (1 - overlap)) - 1e-9) + 1
        begins = np.linspace(0, 1 - fraction, count)
        boxes += [(x, y, x + fraction, y + fraction) for y in begins for x in begins]
    return (np.array(boxes) * [width, height, width, height]).astype("float32")


def _enlarged(boxes_xyxy: np.ndarray, size_hw: tuple[int, int], enlarge: float) -> np.ndarray:
    """Return the enlarged boxes in whole pixels, `(N, 4)` int, after checking them."""
    boxes = np.asarray(boxes_xyxy, "float64")
    if boxes.ndim != 2 or boxes.shape[-1] != 4 or not len(boxes):
        raise InputError(
            f"`boxes_xyxy` must be (N, 4) with at least one box; got shape {boxes.shape}; "
            "use None for windows of several sizes"
        )
    if enlarge < 1:
        raise InputError(f"`enlarge` must be at least 1; got {enlarge}; try {ENLARGE}")
    limit = np.array(size_hw[::-1])
    low, high = boxes[:, :2], boxes[:, 2:]
    for index in np.flatnonzero(~((high > low) & (high > 0) & (low < limit)).all(axis=1)):
        raise InputError(
            f"`boxes_xyxy`: box {index} is {boxes[index].tolist()}; expected left < right and top < bottom, "
            f"and a part inside the image of {limit[0]} x {limit[1]} (width x height) pixels"
        )
    centre, half = (low + high) / 2, enlarge * (high - low) / 2
    low = np.minimum(np.rint(centre - half), limit - 1)
    high = np.maximum(np.maximum(np.rint(centre + half), low + 1), 1)
    return np.concatenate([low, high], axis=1).astype(int)


def _inside(
    box_xyxy: np.ndarray, size_hw: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part of a box that lies in the image: as slices of the image, and as slices of the box."""
    left, top, right, bottom = (int(side) for side in box_xyxy)
    rows, columns = slice(max(top, 0), min(bottom, size_hw[0])), slice(max(left, 0), min(right, size_hw[1]))
    own = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    return (rows, columns), own


def _crop(image: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
    """Return the content of a box, `(h, w, C)`, black outside the image."""
    left, top, right, bottom = box_xyxy
    crop = np.zeros((bottom - top, right - left, image.shape[-1]), "float32")
    inside, own = _inside(box_xyxy, image.shape[:2])
    crop[own] = image[inside]
    return crop


def _resize(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize `(h, w, C)` bilinearly."""
    return np.asarray(ops.image.resize(values, tuple(map(int, size_hw)), antialias=True))
