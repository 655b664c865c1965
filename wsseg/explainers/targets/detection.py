"""Target for detectors: the score of one detection."""

from collections.abc import Hashable, Sequence
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.rows import check_below, index_rows, repeated
from wsseg.explainers.targets.target import Target


class Detection(Target):
    r"""The score of a class at the detection that fits a box best.

    Two of the model's outputs must be boxes `(B, N, 4)` and scores `(B, N, K)`. They must be the raw outputs, all N
    before non-maximum suppression, so that the scores can be differentiated.

    For gradient methods, the score is $y_{n^*}^c$ of the detection $n^*$ with the highest IoU with the box (the first
    if several are equal), before a sigmoid or softmax that can be found; 0 if no detection overlaps the box. For
    explainers that use the model's own outputs, and with `logits=False`, the score is the similarity of D-RISE
    (Petsiuk et al. 2021 †), $\max_n IoU(b, b_n) \, p_n^c$, so a detection that moves off the box counts less. D-RISE
    uses the cosine of the two detections' class scores instead of $p_n^c$, and objectness as a third factor; here the
    score of the asked class replaces both. The IoU is treated as a constant, so the map shows the evidence for the
    class, not for the box.

    Args:
        box_xyxy: `(4,)` left, top, right, bottom in the units of the model's boxes, or `(B, 4)`, one per image.
        class_id: Class index, or `(B,)`, one per image.
        boxes: Name or position of the output with the boxes.
        scores: Name or position of the output with the scores.
        logits: False to use the similarity for all explainers.

    Raises:
        InputError: A box is empty, the class is out of range, or an output is missing or has another shape.

    References:
        Petsiuk et al., Black-box Explanation of Object Detectors via Saliency Maps, CVPR 2021. († quoted from memory.)
    """

    def __init__(
        self,
        box_xyxy: Any,
        class_id: Any,
        boxes: str | int = "boxes",
        scores: str | int = "scores",
        logits: bool = True,
    ):
        box = np.atleast_2d(np.asarray(box_xyxy, np.float32))
        if box.ndim != 2 or box.shape[1] != 4:
            raise InputError(f"`box_xyxy` must be (4,) or (B, 4): left, top, right, bottom; got {box.shape}")
        wrong = ~((box[:, 2:] > box[:, :2]).all(axis=1) & np.isfinite(box).all(axis=1))
        if wrong.any():
            raise InputError(
                f"`box_xyxy` must have left < right and top < bottom; number {np.argmax(wrong)} is "
                f"{box[np.argmax(wrong)].tolist()}; for left, top, width, height, add the first two to the last two"
            )
        self.class_id, self.boxes, self.class_scores = index_rows("class_id", class_id), boxes, scores
        self.logits, self.arrays = logits, (box, self.class_id)

    @property
    def key(self) -> Hashable:
        """Includes the names of the two outputs."""
        return (*super().key, self.boxes, self.class_scores)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error if the outputs are not boxes and scores of a detector."""
        self._check(*(outputs.one(x, logits=False).shape for x in (self.boxes, self.class_scores)))

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the score of the detection, `(B, 1)`."""
        ops = keras.ops
        logits = self.logits and not own
        boxes = ops.cast(outputs.one(self.boxes, logits=False), "float32")
        scores = ops.cast(outputs.one(self.class_scores, logits), "float32")
        self._check(boxes.shape, scores.shape)
        box, class_id = (repeated(x, ops.shape(boxes)[0]) for x in arrays)
        overlap = ops.stop_gradient(_iou(box[:, None], boxes))  # (B, N)
        mine = ops.take_along_axis(scores, class_id[:, None, None], axis=2)[..., 0]  # (B, N)
        if not logits:
            return ops.max(overlap * mine, axis=1, keepdims=True)
        best = ops.argmax(overlap, axis=1)[:, None]
        found = ops.take_along_axis(overlap, best, axis=1) > 0
        return ops.where(found, ops.take_along_axis(mine, best, axis=1), 0.0)

    def _check(self, boxes: Any, scores: Any) -> None:
        if len(boxes) != 3 or boxes[2] != 4 or len(scores) != 3:
            raise InputError(
                f"Detection needs the outputs `{self.boxes}` (batch, N, 4) and `{self.class_scores}` (batch, N, "
                f"classes); they are {tuple(boxes)} and {tuple(scores)}; choose others with `boxes=` and `scores=`"
            )
        check_below("class_id", self.class_id, scores[2], "classes")


def _iou(one: Any, two: Any) -> Any:
    """Return the intersection over union of boxes `(..., 4)`; 0 if a box is empty."""
    ops = keras.ops
    inner = ops.maximum(ops.minimum(one[..., 2:], two[..., 2:]) - ops.maximum(one[..., :2], two[..., :2]), 0)
    inner = inner[..., 0] * inner[..., 1]
    area = sum(ops.prod(ops.maximum(x[..., 2:] - x[..., :2], 0), axis=-1) for x in (one, two))
    return inner / ops.maximum(area - inner, 1e-12)
