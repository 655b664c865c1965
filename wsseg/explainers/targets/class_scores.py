"""Class scores: what a classifier's maps explain."""

from collections.abc import Hashable
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.target import Target


class ClassScores(Target):
    """Scores of classes, before the softmax or sigmoid; a VQA model's answer is a class too.

    Args:
        classes: `(B,)` class indices, one for each image, or `(B, T)`, several; -1 where an image has fewer than T,
            whose map is 0. One row, `(1,)` or `(1, T)`, serves all images.
        output: Name or position of the output, where the model has several.
        logits: False for the probabilities themselves.

    Raises:
        InputError: Not integers, or not of these shapes.

    Example:
        >>> ClassScores([[0, 2], [1, -1]]).absent(2).tolist()
        [[False, False], [False, True]]
    """

    def __init__(self, classes: Any, output: str | int | None = None, logits: bool = True):
        classes = np.asarray(classes)
        if classes.dtype.kind not in "iu" and classes.size:
            raise InputError(
                f"`targets` must be class indices (integers) or callables on the model's output; got {classes.dtype}; "
                f"try {classes.shape} of int"
            )
        self.single = classes.ndim == 1
        if classes.ndim not in (1, 2):
            raise InputError(f"`targets` must be (B,) or (B, T), B the number of images; got {classes.shape}")
        self.classes = classes.astype(np.int32)[:, None] if self.single else classes.astype(np.int32)
        self.output, self.logits = output, logits
        self.arrays, self.width = (self.classes,), self.classes.shape[1]

    @property
    def key(self) -> Hashable:
        """The number of classes an image is part of it: each is differentiated by itself."""
        return (*super().key, self.classes.shape[1])

    def scores(self, outputs: Any, classes: Any) -> Any:
        """Pick the classes' scores."""
        if len(outputs.shape) != 2:
            raise InputError(
                f"class indices need an output (batch, classes), and this one is {tuple(outputs.shape)}; use a target "
                "of `wsseg.explainers.targets`, such as SegmentationPixels, or a function of the output"
            )
        classes = keras.ops.reshape(classes, (-1, self.classes.shape[1]))
        return keras.ops.take_along_axis(outputs, keras.ops.maximum(classes, 0), axis=1)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Refuse indices that the output does not have."""
        num_classes = outputs.one(default if self.output is None else self.output, logits=False).shape[-1]
        low, high = self.classes.min(initial=0), self.classes.max(initial=0)
        if high >= num_classes or low < -1:
            raise InputError(
                f"`targets` must be class indices from 0 to {num_classes - 1}; "
                f"got {self.classes.min()} to {self.classes.max()}"
            )

    def absent(self, batch: int) -> np.ndarray:
        """Where the index is -1."""
        return np.broadcast_to(self.classes < 0, (batch, self.classes.shape[1]))


def present_classes(labels: np.ndarray) -> np.ndarray:
    """Return the classes of each image as targets: all of them are explained at once.

    Args:
        labels: `(B, K)`, not 0 where an image has the class.

    Returns:
        `(B, T)` int32, T the most that an image has (at least 1), filled up with -1.

    Example:
        >>> present_classes(np.array([[1, 0, 1], [0, 1, 0]])).tolist()
        [[0, 2], [1, -1]]
    """
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise InputError(f"`labels` must be (B, K); got {labels.shape}")
    rows = [np.flatnonzero(row) for row in labels]
    result = np.full((len(rows), max(1, *(len(row) for row in rows), 1)), -1, np.int32)
    for place, row in zip(result, rows):
        place[: len(row)] = row
    return result
