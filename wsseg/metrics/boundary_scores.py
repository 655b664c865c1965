"""Boundary IoU of semantic masks, for each class, over any number of images."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.metrics.mask_iou import boundary_region


class BoundaryScores:
    """Mean boundary IoU of semantic masks.

    The boundary pixels of a class are counted over all images before the ratio is computed, as in `ConfusionMatrix`.
    Pixels of unknown truth are removed from both masks before their boundaries are computed. So a prediction that is
    right wherever the truth is known scores 1 (VOC ignores a band around each object).

    Args:
        num_classes: Number of classes K, including the background.
        ratio: Width of the boundary as a share of the image's diagonal; see `boundary_iou`.
        ignore: Value that means "unknown".

    Raises:
        InputError: `ignore` is the id of a class.

    Example:
        >>> score = BoundaryScores(num_classes=2)
        >>> score.update(np.array([[0, 1], [1, 1]]), np.array([[0, 0], [1, 255]]))
        >>> score.result(["background", "cat"])
        {'boundary_miou': 0.5, 'boundary_iou': {'background': 0.5, 'cat': 0.5}}
    """

    def __init__(self, num_classes: int, ratio: float = 0.02, ignore: int = 255):
        if 0 <= ignore < num_classes:
            raise InputError(
                f"`ignore` ({ignore}) is one of the ids 0..{num_classes - 1} of {num_classes} classes, which would not "
                "be scored; give another value"
            )
        self.ratio, self.ignore = ratio, ignore
        # Rows: intersection and union of the boundaries. Columns: classes.
        self._counts = np.zeros((2, num_classes), np.int64)

    def update(self, prediction: np.ndarray, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            prediction: `(H, W)` integers: 0..K-1, or `ignore`.
            truth: `(H, W)` integers: 0..K-1, or `ignore`.

        Raises:
            InputError: The shapes differ, or an id is neither in 0..K-1 nor `ignore`.
        """
        prediction, truth = np.asarray(prediction), np.asarray(truth)
        if prediction.shape != truth.shape or truth.ndim != 2:
            raise InputError(
                f"`prediction` {prediction.shape} and `truth` {truth.shape} must be (H, W) of one size"
            )
        prediction = np.where(truth == self.ignore, self.ignore, prediction)
        for number in np.union1d(prediction, truth):
            if number == self.ignore:
                continue
            if not 0 <= number < self._counts.shape[1]:
                raise InputError(f"a mask holds the id {number}; expected 0..{self._counts.shape[1] - 1}")
            one, two = boundary_region(np.stack([prediction == number, truth == number]), self.ratio)
            self._counts[:, number] += (one & two).sum(), (one | two).sum()

    def result(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the scores.

        Args:
            class_names: K names in id order, the background first.

        Returns:
            `boundary_iou`: class name -> boundary IoU, None for a class in no mask; and `boundary_miou`, the mean over
            the other classes.
        """
        shared, either = self._counts.tolist()
        values = [s / e if e else None for s, e in zip(shared, either)]
        present = [value for value in values if value is not None]
        return {
            "boundary_miou": sum(present) / len(present) if present else None,
            "boundary_iou": dict(zip(class_names, values, strict=True)),
        }
