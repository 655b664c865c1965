"""Explainers that hide parts of the image: masks, and what is seen where they hide."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.perturbation import Perturbation, repeated

PIXELS = 16 * 224 * 224
"""Pixels that are run at once, where `batch_size` is not given: 16 images of ImageNet's usual size."""


class Masking(Perturbation):
    """A map from the scores of many masked versions of each image.

    A version is $M X + (1 - M) F$ for the image $X$, a mask $M$ in [0, 1] and the fill $F$, in the model's own input
    space: what the model is given, after any preprocessing outside of it.

    Args:
        model: As of `Perturbation`.
        layer: As of `Perturbation`.
        output: As of `Perturbation`.
        fill: What is seen where the mask is 0: a number for all channels, one for each channel, or "mean" for the
            image's own mean colour.
        batch_size: As of `Perturbation`.
        progress: As of `Perturbation`.

    Raises:
        InputError: `fill` is none of these (when an image is explained: or not one number a channel).
    """

    def __init__(
        self,
        model: keras.Model,
        layer: str | None = None,
        output: str | int | None = None,
        *,
        fill: float | Sequence[float] | str = 0.0,
        batch_size: int | None = None,
        progress: bool = False,
    ):
        super().__init__(model, layer, output, batch_size=batch_size, progress=progress)
        self.fill = _checked_fill(fill)

    def masks(
        self, fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor], height: Any, width: Any
    ) -> tf.Tensor:
        """Return the masks of n versions, `(n, H, W)` float32, 1 where the image is seen; traced."""
        raise TypeError(f"{type(self).__name__} must define `masks`")

    def outputs_of(
        self, inputs: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor]
    ) -> Outputs:
        """Run the model on the masked versions."""
        place = self.network.image
        given = inputs[place]
        image = tf.cast(given, tf.float32)
        shape = tf.shape(image)
        seen = self.masks(fixed, rows, shape[1], shape[2])[..., None]
        fill = tf.reduce_mean(image, axis=(1, 2), keepdims=True) if isinstance(self.fill, str) else self.fill
        masked = (
            seen * image + (1 - seen) * fill
        )  # in this order an image that is all seen stays exactly as it is
        masked = tf.ensure_shape(masked, (None, *given.shape[1:]))
        if given.dtype.is_integer:
            masked = tf.round(masked)
        changed = repeated(inputs, rows[0])
        changed[place] = tf.cast(masked, given.dtype)
        return self.network.outputs(changed)

    def fitting(self, inputs: Sequence[tf.Tensor]) -> int:
        """Return how many versions of the image are run at once."""
        _, height, width, channels = inputs[self.network.image].shape
        if not isinstance(self.fill, str) and self.fill.size not in (1, channels):
            raise InputError(
                f"`fill` has {self.fill.size} values and the image {channels} channels; "
                "give one, or one for each channel"
            )
        return PIXELS // (height * width)


def _checked_fill(fill: Any) -> np.ndarray | str:
    wanted = '`fill` must be a number, one for each channel, or "mean"'
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
