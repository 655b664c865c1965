"""Missed objects and false alarms among the detections of an image. NumPy and pycocotools."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wsseg.errors import InputError
from wsseg.metrics.mask_iou import mask_iou
from wsseg.metrics.max_box_acc import box_iou
from wsseg.objects.instances import Instances


@dataclass(frozen=True)
class ObjectMisses:
    """Result of matching the detections of an image with its objects.

    Attributes:
        missed: `(N,)` bool: true objects without a matching detection, crowds excluded.
        false_alarms: `(M,)` bool: detections of sufficient score that match no object and overlap no crowd.
        found: Number of objects found.
    """

    missed: np.ndarray
    false_alarms: np.ndarray
    found: int

    @property
    def count(self) -> int:
        """Number of missed objects and false alarms."""
        return int(self.missed.sum() + self.false_alarms.sum())

    @property
    def f1(self) -> float | None:
        """`2 found / (2 found + count)`; None if there are no objects and no false alarms."""
        return 2 * self.found / (2 * self.found + self.count) if self.found or self.count else None


def find_misses(
    predicted: Instances, true: Instances, kind: str = "masks", iou: float = 0.5, score: float = 0.5
) -> ObjectMisses:
    """Match detections with objects as COCO does: in order of falling score, each with the object it overlaps most.

    Args:
        predicted: Predicted objects with scores.
        true: True objects. Unmatched detections in crowds are not false alarms.
        kind: Which overlaps are compared: masks or boxes.
        iou: Minimum IoU of a match.
        score: Minimum score of a detection; detections below it are ignored.

    Raises:
        InputError: Scores or masks are missing, or the sizes differ.

    Example:
        >>> true = Instances([1, 1], [[0, 0, 9, 9], [20, 0, 30, 9]], (40, 40))
        >>> found = Instances([1, 1], [[0, 0, 9, 8], [0, 30, 9, 40]], (40, 40), scores=[0.9, 0.8])
        >>> misses = find_misses(found, true, "boxes")
        >>> misses.missed.tolist(), misses.false_alarms.tolist(), misses.count
        ([False, True], [False, True], 2)
    """
    if kind not in ("masks", "boxes"):
        raise InputError(f"`kind` must be masks or boxes; got {kind!r}")
    if predicted.scores is None:
        raise InputError("the predicted objects have no scores; give `predicted` with `scores`")
    if predicted.size_hw != true.size_hw:
        raise InputError(
            f"the prediction has (H, W) {predicted.size_hw}, the truth {true.size_hw}; they must be equal"
        )
    overlaps = _overlaps(predicted, true, kind)
    same = predicted.class_ids[:, None] == true.class_ids[None]
    overlaps = np.where(same & (overlaps >= iou), overlaps, 0)
    missed, false_alarms = ~true.crowd, np.zeros(len(predicted), bool)
    for row in np.argsort(-predicted.scores, kind="stable"):
        if predicted.scores[row] < score:
            break
        free = np.where(missed, overlaps[row], 0)
        if free.any():
            missed[free.argmax()] = False
        elif not overlaps[row][true.crowd].any():
            false_alarms[row] = True
    return ObjectMisses(missed, false_alarms, int((~missed & ~true.crowd).sum()))


def worst_images(misses: Mapping[str, ObjectMisses], count: int) -> list[str]:
    """Return the images with the most misses, the worst first; with equal counts, the lower F1 first.

    Args:
        misses: Image id -> misses.
        count: Maximum number of images; images without a miss are left out.
    """
    ranked = sorted(
        (name for name, image in misses.items() if image.count),
        key=lambda name: (-misses[name].count, misses[name].f1),
    )
    return ranked[:count]


def _overlaps(predicted: Instances, true: Instances, kind: str) -> np.ndarray:
    """Return the IoU `(M, N)`; for a crowd, the share of the detection that lies in it."""
    if not len(predicted) or not len(true):
        return np.zeros((len(predicted), len(true)))
    if kind == "masks":
        if predicted.masks is None or true.masks is None:
            raise InputError("objects without masks cannot be compared by masks; try `kind` boxes")
        return mask_iou(predicted.masks, true.masks, true.crowd)
    boxes, others = (np.asarray(each.boxes_xyxy, np.float64) for each in (predicted, true))
    sides = np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - np.maximum(
        boxes[:, None, :2], others[None, :, :2]
    )
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)[:, None]
    inside = np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)
    with np.errstate(invalid="ignore"):  # 0 / 0 for two boxes without an area
        iou = np.nan_to_num(box_iou(boxes, others))
    return np.where(true.crowd[None], inside, iou)
