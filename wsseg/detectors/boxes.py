"""Boxes as offsets from reference boxes, and back. The arithmetic is core Keras'."""

import math
from collections.abc import Sequence

from keras import ops
from keras.utils import bounding_boxes

LARGEST_GROWTH = math.log(1000 / 16)
"""Bound of the logarithm of a side's growth, so that an untrained network makes no infinite box (Detectron)."""

RPN_VARIANCE = (1.0, 1.0, 1.0, 1.0)
HEAD_VARIANCE = (0.1, 0.1, 0.2, 0.2)
"""Of offsets: what a network learns is the offset over this (Girshick 2015, section 2.3: unit variance)."""


def encode(boxes, reference, variance: Sequence[float]):
    """Return the offsets `(..., 4)` of boxes from reference boxes, both `(..., 4)` xyxy.

    `(x - xr) / wr, (y - yr) / hr, log(w / wr), log(h / hr)` of centres and sides, each over its variance.

    References:
        Ren et al., Faster R-CNN, NeurIPS 2015, equation 2.
    """
    return bounding_boxes.encode_box_to_deltas(
        ops.convert_to_tensor(reference),
        ops.convert_to_tensor(boxes),
        "xyxy",
        "xyxy",
        encoding_format="center_xywh",
        variance=list(variance),
    )


def decode(offsets, reference, variance: Sequence[float], size_hw: tuple[int, int]):
    """Return the boxes `(..., 4)` xyxy that `encode` makes these offsets of, clipped to the image.

    Args:
        offsets: `(..., 4)`.
        reference: `(..., 4)` xyxy.
        variance: Four numbers.
        size_hw: The image's, pixels.
    """
    variance = ops.convert_to_tensor(list(variance), "float32")
    offsets = offsets * variance
    bounded = [offsets[..., :2], ops.minimum(offsets[..., 2:], LARGEST_GROWTH)]
    boxes = bounding_boxes.decode_deltas_to_boxes(
        ops.convert_to_tensor(reference),
        ops.concatenate(bounded, axis=-1),
        "xyxy",
        "xyxy",
        encoded_format="center_xywh",
    )
    height, width = size_hw
    return ops.clip(boxes, 0.0, ops.convert_to_tensor([width, height, width, height], "float32"))


def pairwise_iou(boxes, others):
    """Return intersection over union, `(B, N, M)`, of boxes `(B or none, N, 4)` and `(B, M, 4)`, xyxy.

    A box without area overlaps nothing.
    """
    return bounding_boxes.compute_iou(ops.convert_to_tensor(boxes), ops.convert_to_tensor(others), "xyxy")
