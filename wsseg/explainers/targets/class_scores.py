"""Target for classifiers: the scores of classes."""

from collections.abc import Hashable
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.target import Target


class ClassScores(Target):
    """Scores of classes before the softmax or sigmoid. The answer of a VQA model is a class too.

    Args:
        classes: `(B,)` class indices, one per image, or `(B, T)`, several per image; -1, whose map is 0, fills up
            images with fewer than T classes. One row, `(1,)` or `(1, T)`, is used for all images.
        output: Name or position of the output, for a model with several outputs.
        logits: Whether to explain the scores before a final softmax or sigmoid; False for the probabilities.

    Raises:
        InputError: `classes` are not integers, or have another shape.

    Example:
        >>> ClassScores([[0, 2], [1, -1]]).absent(2).tolist()
        [[False, False], [False, True]]
    """

    saturates = True

    def __init__(self, classes: Any, output: str | int | None = None, logits: bool = True):
        classes = np.asarray(classes)
        if classes.dtype.kind not in "iu" and classes.size:
            labels = classes.ndim == 2 and classes.shape[1] > 1
            raise InputError(
                f"`targets` must be class indices (integers) or callables on the model's output; got {classes.dtype}; "
                + (
                    "for 0/1 labels (B, K) give `present_classes(labels)` of `wsseg.explainers.targets`"
                    if labels
                    else f"try {classes.shape} of int"
                )
            )
        if classes.size and max(classes.max(), -int(classes.min())) > np.iinfo(np.int32).max:
            raise InputError(f"`targets` must be class indices; got {classes.min()} to {classes.max()}")
        self.single = classes.ndim == 1
        if classes.ndim not in (1, 2):
            raise InputError(f"`targets` must be (B,) or (B, T), B the number of images; got {classes.shape}")
        self.classes = classes.astype(np.int32)[:, None] if self.single else classes.astype(np.int32)
        self.output, self.logits = output, logits
        self.arrays, self.width = (self.classes,), self.classes.shape[1]

    @property
    def key(self) -> Hashable:
        """Includes the number of classes per image, since each class is differentiated separately."""
        return (*super().key, self.classes.shape[1])

    def scores(self, outputs: Any, classes: Any) -> Any:
        """Select the classes' scores, `(B, T)`."""
        if len(outputs.shape) != 2:
            raise InputError(
                f"class indices need an output (batch, classes), but this one is {tuple(outputs.shape)}; use a target "
                "of `wsseg.explainers.targets`, such as SegmentationPixels, or a function of the output"
            )
        classes = keras.ops.reshape(classes, (-1, self.classes.shape[1]))
        return keras.ops.take_along_axis(outputs, keras.ops.maximum(classes, 0), axis=1)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error for indices that the output does not have."""
        num_classes = outputs.one(default if self.output is None else self.output, logits=False).shape[-1]
        low, high = self.classes.min(initial=0), self.classes.max(initial=0)
        if high >= num_classes or low < -1:
            hint = (
                "; the output has one score only: explain class 0, or Negated(ClassScores([0])) for the other class"
                if num_classes == 1
                else ""
            )
            raise InputError(
                f"`targets` must be class indices from 0 to {num_classes - 1}; "
                f"got {self.classes.min()} to {self.classes.max()}{hint}"
            )
        if self.classes.shape[1] == num_classes > 2 and np.isin(self.classes, (0, 1)).all():
            raise InputError(
                f"`targets` {self.classes.shape} holds only 0 and 1 and has a column for each class, so it seems to "
                "be labels; give `present_classes(labels)` of `wsseg.explainers.targets`, or labels.argmax(axis=1)"
            )

    def absent(self, batch: int) -> np.ndarray:
        """Return `(B, T)` bool, True where the index is -1."""
        return np.broadcast_to(self.classes < 0, (batch, self.classes.shape[1]))


def present_classes(labels: np.ndarray) -> np.ndarray:
    """Return the classes of each image as targets, to explain all of them at once.

    Args:
        labels: `(B, K)` image labels, nonzero if the image has the class.

    Returns:
        `(B, T)` int32 class indices, padded with -1; T is the largest number of classes of an image, at least 1.

    Raises:
        InputError: `labels` does not have two axes.

    Example:
        >>> present_classes(np.array([[1, 0, 1], [0, 1, 0]])).tolist()
        [[0, 2], [1, -1]]
    """
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise InputError(f"`labels` must be (B, K); got {labels.shape}")
    rows = [np.flatnonzero(row) for row in labels]
    result = np.full((len(rows), max(1, *(len(row) for row in rows), 1)), -1, np.int32)
    for target, row in zip(result, rows):
        target[: len(row)] = row
    return result
