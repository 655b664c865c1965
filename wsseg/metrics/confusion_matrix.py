"""Counts of pixels by true and predicted class, and the scores computed from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsseg.errors import InputError, require_whole


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide two arrays; 0 / 0 is nan, without a warning."""
    result = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)
    return result


def _mean(values: np.ndarray) -> float:
    """Return the mean of the values that are not nan; nan if there are none."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


class ConfusionMatrix:
    """Count pixels by true and predicted class over any number of images, then score them.

    Conventions, so that figures can be compared:
        - The pixels of all images are pooled before any ratio is computed (VOC's convention); ratios are not
          averaged over images.
        - A pixel whose truth is `ignore` is not scored, whatever the prediction.
        - A scored pixel that is predicted as `ignore` (an unsure pseudo-label) is a miss: it counts in the
          truth of its class and in no class's predictions. It lowers accuracy, recall and IoU of its class,
          and is a false positive of no class. These pixels are counted separately, in `unsure`.
        - A class that is in no truth and in no prediction has no IoU (nan) and is left out of the mean. A
          class that is predicted but never true has IoU 0 and counts in the mean.
        - Class accuracy is nan for a class that is never true; the mean leaves this class out.

    Args:
        num_classes: Number of classes K, including the background (21 for VOC).
        ignore: Value that means "unknown" in truths and predictions; None if there is no such value.

    Raises:
        InputError: `num_classes` is not a positive integer, or `ignore` is the id of a class.

    Example:
        >>> cm = ConfusionMatrix(num_classes=2)
        >>> cm.update(np.array([[0, 1], [1, 1]]), np.array([[0, 0], [1, 255]]))
        >>> cm.matrix.tolist()
        [[1, 1], [0, 1]]
        >>> cm.iou().tolist(), cm.miou()
        ([0.5, 0.5], 0.5)

    References:
        Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 5: with
        n_ij the pixels of class i predicted as j and t_i = sum_j n_ij, IoU_i = n_ii / (t_i + sum_j n_ji -
        n_ii).
    """

    def __init__(self, num_classes: int, ignore: int | None = 255):
        num_classes = require_whole("num_classes", num_classes, hint="VOC has 21 with background")
        self.num_classes = int(num_classes)
        if ignore is not None and 0 <= ignore < self.num_classes:
            raise InputError(
                f"`ignore` ({ignore}) is one of the ids 0..{self.num_classes - 1} of {self.num_classes} classes, which "
                "would not be scored; give another value, or None"
            )
        self.ignore = ignore
        # Rows: truth. Columns: prediction, the last one holds predictions of `ignore`.
        self._counts = np.zeros((self.num_classes, self.num_classes + 1), np.int64)

    @classmethod
    def from_counts(
        cls, matrix: np.ndarray, unsure: np.ndarray | None = None, ignore: int | None = 255
    ) -> "ConfusionMatrix":
        """Return a confusion matrix with given counts.

        Args:
            matrix: `(K, K) int`: rows are the truth, columns the prediction.
            unsure: `(K,) int`: scored pixels predicted as `ignore`; None for zeros.
            ignore: See the constructor.

        Raises:
            InputError: `matrix` is not `(K, K)` integers of 0 or more.
        """
        matrix = np.asarray(matrix)
        if (
            matrix.ndim != 2
            or matrix.shape[0] != matrix.shape[1]
            or matrix.dtype.kind not in "iu"
            or matrix.min() < 0
        ):
            raise InputError(f"`matrix` must be (K, K) counts; got {matrix.shape} {matrix.dtype}")
        result = cls(len(matrix), ignore)
        result._counts[:, :-1] = matrix
        if unsure is not None:
            result._counts[:, -1] = unsure
        return result

    @property
    def matrix(self) -> np.ndarray:
        """`(K, K) int64`: pixels by truth (rows) and prediction (columns), without `unsure`."""
        return self._counts[:, :-1].copy()

    @property
    def unsure(self) -> np.ndarray:
        """`(K,) int64`: scored pixels of each true class that were predicted as `ignore`."""
        return self._counts[:, -1].copy()

    @property
    def pixels(self) -> int:
        """Number of pixels scored."""
        return int(self._counts.sum())

    def update(self, prediction: np.ndarray, truth: np.ndarray) -> None:
        """Count the pixels of one image, or of a batch of equal shape.

        Args:
            prediction: Integers of any shape: 0..K-1, or `ignore`.
            truth: Integers of the same shape: 0..K-1, or `ignore` for pixels that are not scored.

        Raises:
            InputError: The shapes differ, an array is not integer, or a scored pixel has an id outside
                0..K-1. Nothing is counted then.
        """
        prediction, truth = np.asarray(prediction), np.asarray(truth)
        if prediction.shape != truth.shape:
            raise InputError(
                f"`prediction` {prediction.shape} and `truth` {truth.shape} must have the same shape; "
                "resize the prediction to the truth's size, never the truth"
            )
        for name, array in (("prediction", prediction), ("truth", truth)):
            if array.dtype.kind not in "iub":
                raise InputError(f"`{name}` must hold integer ids; got {array.dtype}; take the argmax first")
        prediction, truth = prediction.ravel(), truth.ravel()
        if self.ignore is not None:
            scored = truth != self.ignore
            prediction, truth = prediction[scored], truth[scored]
        prediction, truth = prediction.astype(np.int64), truth.astype(np.int64)
        unsure = prediction == self.ignore if self.ignore is not None else np.zeros(len(truth), bool)
        self._check_ids("truth", truth)
        self._check_ids("prediction", prediction[~unsure])
        columns = self.num_classes + 1
        index = truth * columns + np.where(unsure, self.num_classes, prediction)
        self._counts += np.bincount(index, minlength=self._counts.size).reshape(self._counts.shape)

    def _check_ids(self, name: str, ids: np.ndarray) -> None:
        if ids.size and (ids.min() < 0 or ids.max() >= self.num_classes):
            wrong = ids[(ids < 0) | (ids >= self.num_classes)][0]
            raise InputError(
                f"`{name}` holds the id {wrong}; expected 0..{self.num_classes - 1}"
                + (f" or {self.ignore} (not scored)" if self.ignore is not None else "")
                + "; check `num_classes` (the background counts) and the mask's ids"
            )

    def merge(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        """Add the counts of `other` to this one, and return this one.

        Raises:
            InputError: The two matrices differ in `num_classes` or `ignore`.
        """
        if (self.num_classes, self.ignore) != (other.num_classes, other.ignore):
            raise InputError(
                f"confusion matrices of {self.num_classes} classes (ignore {self.ignore}) and of "
                f"{other.num_classes} (ignore {other.ignore}) cannot be merged"
            )
        self._counts += other._counts
        return self

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        """Return a new confusion matrix with the counts of both."""
        return ConfusionMatrix(self.num_classes, self.ignore).merge(self).merge(other)

    def iou(self) -> np.ndarray:
        """Return `(K,) float`: n_ii / (t_i + sum_j n_ji - n_ii); nan for an absent class."""
        hits = np.diag(self._counts)
        return _ratio(hits, self._counts.sum(1) + self._counts[:, :-1].sum(0) - hits)

    def miou(self) -> float:
        """Return the mean IoU over the classes that have one; nan if no class has one."""
        return _mean(self.iou())

    def pixel_accuracy(self) -> float:
        """Return sum_i n_ii / sum_i t_i; nan before anything is scored."""
        return float(_ratio(np.trace(self._counts), self._counts.sum()))

    def class_accuracy(self) -> np.ndarray:
        """Return `(K,) float`: n_ii / t_i, the recall of each class; nan for a class that is never true."""
        return _ratio(np.diag(self._counts), self._counts.sum(1))

    def mean_class_accuracy(self) -> float:
        """Return the mean of `class_accuracy` over the classes that occur in the truth."""
        return _mean(self.class_accuracy())

    def frequency_weighted_iou(self) -> float:
        """Return sum_i t_i IoU_i / sum_i t_i; nan before anything is scored."""
        frequency = self._counts.sum(1)
        return float(_ratio(np.nansum(frequency * self.iou()), frequency.sum()))

    def scores(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return all scores as values for JSON: nan becomes None.

        Args:
            class_names: K names in id order, the background first.

        Returns:
            `miou`, `iou` (by class name), `pixel_accuracy`, `class_accuracy` (by class name),
            `mean_class_accuracy` and `frequency_weighted_iou`, all in [0, 1] or None; and `classes_without_truth`, the
            names of the classes of which no true pixel was scored.

        Raises:
            InputError: The number of names is not K.
        """
        if len(class_names) != self.num_classes:
            raise InputError(
                f"`class_names` must be {self.num_classes} names, background first; got {len(class_names)}"
            )

        def plain(value: float) -> float | None:
            return None if np.isnan(value) else float(value)

        def by_name(values: np.ndarray) -> dict[str, float | None]:
            return {name: plain(value) for name, value in zip(class_names, values)}

        return {
            "miou": plain(self.miou()),
            "iou": by_name(self.iou()),
            "pixel_accuracy": plain(self.pixel_accuracy()),
            "class_accuracy": by_name(self.class_accuracy()),
            "mean_class_accuracy": plain(self.mean_class_accuracy()),
            "frequency_weighted_iou": plain(self.frequency_weighted_iou()),
            "classes_without_truth": [
                name for name, true in zip(class_names, self._counts.sum(1)) if not true
            ],
        }
