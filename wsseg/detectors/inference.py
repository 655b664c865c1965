"""Detect objects in images of any size."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.objects.instances import Instances


def detect(model: keras.Model, images: Iterable[np.ndarray], batch_size: int = 8) -> Iterator[Instances]:
    """Find the objects of images.

    Each image is resized to fit into the detector's input size, with its aspect ratio kept, and padded at the right
    and bottom.

    Args:
        model: A detector (`wsseg.detectors.create`).
        images: Images `(H, W, 3) uint8` RGB, each of any size.
        batch_size: Number of images per step.

    Yields:
        The objects of each image, best first, with boxes and masks in the image's own pixels.

    Raises:
        InputError: An image has another shape or dtype.
    """
    waiting: list[tuple[np.ndarray, float, tuple[int, int]]] = []
    for image in images:
        waiting.append(_fitted(np.asarray(image), model.input_size))
        if len(waiting) == batch_size:
            yield from _detect(model, waiting, batch_size)
            waiting = []
    yield from _detect(model, waiting, batch_size)


def _detect(model, waiting, batch_size: int) -> Iterator[Instances]:
    if not waiting:
        return
    batch = np.zeros((batch_size, *model.input_size, 3), np.float32)  # always full: one trace
    batch[: len(waiting)] = [image for image, _, _ in waiting]
    found = model.predict_on_batch(batch)
    for row, (_, scale, size_hw) in enumerate(waiting):
        there = np.asarray(found["classes"][row]) > 0
        height, width = size_hw
        boxes = np.clip(np.asarray(found["boxes"][row])[there] / scale, 0, [width, height, width, height])
        masks = None
        if "masks" in found:
            masks = pasted(np.asarray(found["masks"][row])[there], boxes, size_hw)
        result = Instances(
            found["classes"][row][there], boxes, size_hw, masks, np.asarray(found["scores"][row])[there]
        )
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        yield result.where(area > 0)  # a box may lie in the padding


def _fitted(image: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Return the image resized and padded to the input size, the scale, and the image's own size."""
    import tensorflow as tf

    from wsseg.loading.augment import FILL_RGB

    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"an image must be (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}")
    size_hw = image.shape[:2]
    scale = min(there / here for there, here in zip(input_size, size_hw))
    scaled = [min(max(round(side * scale), 1), most) for side, most in zip(size_hw, input_size)]
    filled = np.empty((*input_size, 3), np.float32)
    filled[:] = FILL_RGB
    filled[: scaled[0], : scaled[1]] = tf.image.resize(image, scaled, antialias=True).numpy()
    return filled, scale, size_hw


def pasted(
    masks: np.ndarray, boxes_xyxy: np.ndarray, size_hw: tuple[int, int], level: float = 0.5
) -> np.ndarray:
    """Paste the masks of boxes into the image.

    The cells of a mask divide its box evenly. The value of a pixel is interpolated bilinearly at its centre; pixels
    with centres outside the box are not set.

    Args:
        masks: `(N, h, w)` float in [0, 1].
        boxes_xyxy: `(N, 4)` in pixels.
        size_hw: Height and width of the image.
        level: Minimum value of a pixel of the object.

    Returns:
        `(N, H, W) bool`.

    Example:
        >>> pasted(np.array([[[0.0, 1.0]]]), np.array([[1.0, 0.0, 5.0, 1.0]]), (1, 6)).astype(int).tolist()
        [[[0, 0, 0, 1, 1, 0]]]

    References:
        He et al., Mask R-CNN, ICCV 2017, section 3.1: masks are resized to the box and thresholded at 0.5.
    """
    drawn = np.zeros((len(masks), *size_hw), bool)
    for one, mask, (left, top, right, bottom) in zip(drawn, masks, boxes_xyxy):
        rows, down = _weights(top, bottom, mask.shape[0], size_hw[0])
        columns, across = _weights(left, right, mask.shape[1], size_hw[1])
        one[rows, columns] = down @ mask @ across.T >= level
    return drawn


def _weights(low: float, high: float, cells: int, side: int) -> tuple[slice, np.ndarray]:
    """Return the slice of pixels with centres between two edges, and each pixel's weights of the cells.

    The weights are `(pixels, cells)`; each row sums to 1.
    """
    first, last = max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), side)
    pixels = np.arange(first, max(last, first))
    position = np.clip((pixels + 0.5 - low) / max(high - low, 1e-6) * cells - 0.5, 0, cells - 1)
    distance = np.abs(position[:, None] - np.arange(cells))
    return slice(first, first + len(pixels)), np.maximum(1 - distance, 0)
