"""The likeness of an image to a reference: what maps of a retrieval model explain."""

from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.target import Target


class EmbeddingSimilarity(Target):
    r"""Cosine similarity of the model's embedding with a reference, $\frac{e \cdot r}{|e| |r|}$, in [-1, 1].

    The output is `(B, D)`. The reference commonly is the model's own embedding of another image: the map then shows
    what in this image is like that one.

    Args:
        reference: `(D,)` for all images, or `(B, D)`, real numbers; need not be of length 1.
        output: Name or position of the output, where the model has several.

    Raises:
        InputError: The reference is not of the output's length, is 0, or not a number.

    Example:
        >>> target = EmbeddingSimilarity([0.0, 2.0])
        >>> round(float(target.scores(np.array([[3.0, 4.0]], "float32"), *target.arrays)[0]), 3)
        0.8
    """

    logits = False  # an embedding that ends in a sigmoid is compared as it is

    def __init__(self, reference: Any, output: str | int | None = None):
        reference = np.atleast_2d(np.asarray(reference, np.float32))
        if reference.ndim != 2:
            raise InputError(f"`reference` must be (D,) or (B, D); got {reference.shape}")
        length = np.linalg.norm(reference, axis=1, keepdims=True)
        wrong = ~(np.isfinite(length) & (length > 0))
        if wrong.any():
            raise InputError(
                f"`reference` has no direction in {wrong.sum()} of {len(reference)} rows (first: number "
                f"{np.argmax(wrong)}): all is 0, or not a number"
            )
        self.output, self.arrays = output, (reference / length,)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Refuse an output of another length."""
        self._check(outputs.one(default if self.output is None else self.output, logits=False).shape)

    def scores(self, outputs: Any, reference: Any) -> Any:
        """Compare each image with its reference, `(B,)`."""
        ops = keras.ops
        self._check(outputs.shape)
        # Not `norm`, whose gradient at 0 is not a number; an embedding of 0 is like nothing.
        square = ops.maximum(ops.sum(outputs * outputs, axis=1), 1e-24)
        return ops.sum(outputs * reference, axis=1) / ops.sqrt(square)

    def _check(self, shape: Any) -> None:
        if len(shape) != 2:
            raise InputError(
                f"EmbeddingSimilarity needs an output (batch, dimensions), and this one is {tuple(shape)}; say which "
                "with `output=`, or pool it first"
            )
        length = self.arrays[0].shape[1]
        if shape[1] not in (None, length):
            raise InputError(
                f"`reference` must have {shape[1]} dimensions, as the model's embedding; got {length}"
            )
