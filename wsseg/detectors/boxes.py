"""Conversion of boxes to offsets from reference boxes and back, by the functions of Keras."""

import math
from collections.abc import Sequence

from keras import ops
from keras.utils import bounding_boxes

LARGEST_GROWTH = math.log(1000 / 16)
"""Maximum of the logarithm of a side's growth, so that an untrained network gives no infinite box (Detectron)."""

RPN_VARIANCE = (1.0, 1.0, 1.0, 1.0)
HEAD_VARIANCE = (0.1, 0.1, 0.2, 0.2)
"""Scales of the offsets: the network learns offset / scale (Girshick 2015, section 2.3: unit variance)."""


def encode(boxes, reference, variance: Sequence[float]):
    """Return the offsets `(..., 4)` of boxes from reference boxes, both `(..., 4)` xyxy.

    The offsets are `(x - xr) / wr, (y - yr) / hr, log(w / wr), log(h / hr)` of centres (x, y) and sides (w, h), where
    r is the reference; each is divided by its variance.

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
    """Return the boxes `(..., 4)` xyxy for given offsets, clipped to the image; the inverse of `encode`.

    Args:
        offsets: `(..., 4)` offsets; see `encode`.
        reference: `(..., 4)` reference boxes, xyxy in pixels.
        variance: Scale of each of the four offsets.
        size_hw: Height and width of the image, pixels.
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
    """Return the intersection over union `(B, N, M)` of boxes `(B, N, 4)` or `(N, 4)` with others `(B, M, 4)`, xyxy.

    The IoU of a box without area is 0.
    """
    return bounding_boxes.compute_iou(ops.convert_to_tensor(boxes), ops.convert_to_tensor(others), "xyxy")
