"""Target for retrieval models: the similarity of an image's embedding to a reference."""

from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.target import Target


class EmbeddingSimilarity(Target):
    r"""Cosine similarity of the model's embedding with a reference, $\frac{e \cdot r}{|e| |r|}$, in [-1, 1].

    The output must be `(B, D)`. The reference is commonly the model's own embedding of another image; the map then
    shows which parts of this image are similar to the other image.

    Args:
        reference: `(D,)` for all images, or `(B, D)`, one per image; real numbers, of any length.
        output: Name or position of the output, for a model with several outputs.

    Raises:
        InputError: The reference is 0, holds NaN or infinity, or does not have the output's dimensions.

    Example:
        >>> target = EmbeddingSimilarity([0.0, 2.0])
        >>> round(float(target.scores(np.array([[3.0, 4.0]], "float32"), *target.arrays)[0]), 3)
        0.8
    """

    logits = False  # an embedding that ends in a sigmoid is compared after it

    def __init__(self, reference: Any, output: str | int | None = None):
        reference = np.atleast_2d(np.asarray(reference, np.float32))
        if reference.ndim != 2:
            raise InputError(f"`reference` must be (D,) or (B, D); got {reference.shape}")
        length = np.linalg.norm(reference, axis=1, keepdims=True)
        wrong = ~(np.isfinite(length) & (length > 0))
        if wrong.any():
            raise InputError(
                f"`reference` has no direction in {wrong.sum()} of {len(reference)} rows (first: number "
                f"{np.argmax(wrong)}): all values are 0, or one is NaN or infinite"
            )
        self.output, self.arrays = output, (reference / length,)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error if the output has another number of dimensions than the reference."""
        self._check(outputs.one(default if self.output is None else self.output, logits=False).shape)

    def scores(self, outputs: Any, reference: Any) -> Any:
        """Compare each image with its reference, `(B,)`."""
        ops = keras.ops
        self._check(outputs.shape)
        # `norm` would have a NaN gradient at 0. An embedding of 0 has the similarity 0.
        square = ops.maximum(ops.sum(outputs * outputs, axis=1), 1e-24)
        return ops.sum(outputs * reference, axis=1) / ops.sqrt(square)

    def _check(self, shape: Any) -> None:
        if len(shape) != 2:
            raise InputError(
                f"EmbeddingSimilarity needs an output (batch, dimensions), but this one is {tuple(shape)}; choose one "
                "with `output=`, or pool it first"
            )
        length = self.arrays[0].shape[1]
        if shape[1] not in (None, length):
            raise InputError(
                f"`reference` must have {shape[1]} dimensions, like the model's embedding; got {length}"
            )
