"""Explainers that hide parts of the image: masks, and the fill that replaces hidden parts."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.perturbation import Perturbation, repeated

PIXELS = 16 * 224 * 224
"""Pixels per forward pass when `batch_size` is not given: 16 images of ImageNet's usual size."""


class Masking(Perturbation):
    """A map from the scores of many masked versions of each image.

    A version is $M X + (1 - M) F$ with the image $X$, a mask $M$ in [0, 1] and the fill $F$. Image and fill are in the
    model's input space, that is, after any preprocessing outside the model.

    Args:
        model: See `Perturbation`.
        layer: See `Perturbation`.
        output: See `Perturbation`.
        fill: Values that replace the image where the mask is 0: a number for all channels, one number per channel, or
            "mean" for the image's own mean colour.
        batch_size: See `Perturbation`.
        progress: See `Perturbation`.
        image: See `Perturbation`.
        reshape: See `Explainer`.

    Raises:
        InputError: `fill` is none of these; when an image is explained: its length is not the number of channels.
    """

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        fill: float | Sequence[float] | str = 0.0,
        batch_size: int | None = None,
        progress: bool = False,
        image: str | int | None = None,
        reshape: Any = None,
    ):
        super().__init__(
            model,
            layer,
            output,
            batch_size=batch_size,
            progress=progress,
            image=image,
            reshape=reshape,
        )
        self.fill = _checked_fill(fill)

    def masks(
        self, fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor], height: Any, width: Any
    ) -> tf.Tensor:
        """Return the masks of n versions, `(n, H, W)` float32, 1 where the image is visible; called while tracing."""
        raise TypeError(f"{type(self).__name__} must define `masks`")

    def outputs_of(
        self, inputs: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor]
    ) -> Outputs:
        """Run the model on the masked versions."""
        index = self.network.image
        given = inputs[index]
        image = tf.cast(given, tf.float32)
        shape = tf.shape(image)
        seen = self.masks(fixed, rows, shape[1], shape[2])[..., None]
        fill = tf.reduce_mean(image, axis=(1, 2), keepdims=True) if isinstance(self.fill, str) else self.fill
        masked = (
            seen * image + (1 - seen) * fill
        )  # computed in this form, a fully visible image stays exactly the same
        masked = tf.ensure_shape(masked, (None, *given.shape[1:]))
        if given.dtype.is_integer:
            masked = tf.round(masked)
        changed = repeated(inputs, rows[0])
        changed[index] = tf.cast(masked, given.dtype)
        return self.network.outputs(changed)

    def fitting(self, inputs: Sequence[tf.Tensor]) -> int:
        """Return how many versions of the image fit into one pass."""
        _, height, width, channels = inputs[self.network.image].shape
        if not isinstance(self.fill, str) and self.fill.size not in (1, channels):
            raise InputError(
                f"`fill` has {self.fill.size} values and the image {channels} channels; "
                "give one value, or one per channel"
            )
        return PIXELS // (height * width)


def _checked_fill(fill: Any) -> np.ndarray | str:
    wanted = '`fill` must be a number, one number per channel, or "mean"'
    if isinstance(fill, str):
        if fill != "mean":
            raise InputError(f"{wanted}; got {fill!r}")
        return fill
    try:
        values = np.asarray(fill, np.float32)
    except (TypeError, ValueError):
        values = np.full((1, 1), np.nan)
    if values.ndim > 1 or not values.size or not np.isfinite(values).all():
        raise InputError(f"{wanted}; got {fill!r}")
    return values
