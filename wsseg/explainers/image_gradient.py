"""The scores' gradient with respect to the image itself, and the base class of all methods that use it."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, nearest
from wsseg.explainers.core import Explainer
from wsseg.explainers.gradients import differentiate
from wsseg.explainers.score import Score
from wsseg.explainers.targets import Target

REDUCTIONS = {
    "absolute": lambda x: tf.reduce_sum(tf.abs(x), axis=-1),
    "largest": lambda x: tf.reduce_max(tf.abs(x), axis=-1),
    "sum": lambda x: tf.reduce_sum(x, axis=-1),
}
"""Reductions of a pixel's channels to one value: sum of the magnitudes, largest magnitude, or signed sum."""


class ImageGradient(Explainer):
    r"""Gradient of the score with respect to the image, $\partial y / \partial x$ (Simonyan et al. 2014, section 3).

    This is also the base class of the methods that explain the image itself; a method defines `signed`. The map is
    the largest magnitude over the channels, as in the paper.

    Args:
        model: Any Keras model with an image among its inputs; other inputs are held fixed.
        layer: Must be None: the image itself is explained.
        output: Name or position of the output to explain, for a model with several outputs.
        reduction: A key of `REDUCTIONS`: how the maps reduce the channels.
        image: Name or position of the explained image, for a model with several images.

    References:
        Simonyan et al., Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency
        Maps, ICLR Workshop 2014.
    """

    at_layer = False

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        reduction: str = "largest",
        *,
        image: str | int | None = None,
    ):
        if layer is not None and not self.at_layer:
            raise InputError(
                f"`layer` is {layer!r}, but {type(self).__name__} explains the image itself; remove `layer`"
            )
        if reduction not in REDUCTIONS:
            raise InputError(f"unknown `reduction` {reduction!r}; {nearest(str(reduction), REDUCTIONS)}")
        super().__init__(model, layer, output, image=image)
        self.reduction = reduction

    def signed(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """The method's formula.

        Args:
            inputs: The model's inputs as a flat list, as in `maps`.
            score: Function from the model's outputs to scores `(B, T)`.

        Returns:
            `(B, T, H, W, C)` float32: signed attribution of each value of the image.
        """
        return self.gradients(inputs, score)

    def prepared(self, images: Any, targets: Any) -> tuple[list[np.ndarray], Target, bool]:
        """Check the user's images and targets, and that the model has a gradient to the image."""
        found = super().prepared(images, targets)
        self.network.prepare_image_gradient(found[0])
        return found

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Reduce the channels of the signed attributions: `(B, T, H, W)`."""
        return REDUCTIONS[self.reduction](self.signed(inputs, score))

    def attributions(self, images: Any, targets: Any = None) -> np.ndarray:
        """Return the signed attribution of every value of the image, before the reduction of the channels.

        Args:
            images: See `raw`.
            targets: See `raw`.

        Returns:
            `(B, H, W, C)`, or `(B, T, H, W, C)` for several scores per image, float32; 0 for absent scores.

        Raises:
            InputError: See `raw`.
        """
        inputs, target, single = self.prepared(images, targets)
        function = self.compiled(
            ("attributions", target.key),
            lambda inputs, arrays: self.signed(inputs, Score(target, arrays, self.output)),
        )
        found = function([tf.constant(x) for x in inputs], [tf.constant(x) for x in target.arrays]).numpy()
        flat = found.reshape(*found.shape[:3], -1)  # the same check as for maps, channels side by side
        found = self._checked(flat, target, len(flat)).reshape(found.shape)
        return found[:, 0] if single else found

    def gradients(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Differentiate the scores with respect to the image: `(B, T, H, W, C)` float32."""
        images = tf.cast(inputs[self.network.image], tf.float32)
        return differentiate(
            lambda x: score(self.network.outputs(self.with_images(inputs, x))), images, self.network
        )

    def with_images(self, inputs: Sequence[Any], images: tf.Tensor) -> list[Any]:
        """Return the inputs with their images replaced by `images`."""
        return [images if index == self.network.image else x for index, x in enumerate(inputs)]

    def weighted_gradients(
        self,
        inputs: Sequence[Any],
        score: Score,
        versions: Callable[[tf.Tensor], tf.Tensor],
        weights: Sequence[float],
        at_once: int,
    ) -> tf.Tensor:
        """Compute a weighted sum of the gradients at several versions of each image, a few versions at a time.

        Args:
            inputs: The model's inputs as a flat list.
            score: Function from the model's outputs to scores `(B, T)`.
            versions: Function from version numbers, `(n,)` int32 from 0 on, to images, `(B, n, H, W, C)` float32.
            weights: Weight of each version.
            at_once: Versions of each image in one pass; more versions need more memory.

        Returns:
            `(B, T, H, W, C)` float32.
        """
        rounds = -(-len(weights) // at_once)
        size = -(-len(weights) // rounds)
        # The last round is padded with versions of weight 0, so that one trace serves all rounds.
        padded = tf.constant(np.pad(np.asarray(weights, np.float32), (0, rounds * size - len(weights))))
        images = tf.cast(inputs[self.network.image], tf.float32)
        shape = tf.shape(images)
        count = score(self.network.outputs(inputs)).shape[1]  # only its shape: this pass is never run

        def add(done: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            numbers = done * size + tf.range(size)
            batch = tf.reshape(versions(numbers), tf.concat([[-1], shape[1:]], axis=0))
            batch = tf.ensure_shape(batch, [None, *images.shape[1:]])
            others = [tf.repeat(x, size, axis=0) for x in self.with_images(inputs, shape[:1])]
            found = self.gradients(self.with_images(others, batch), score)
            found = tf.reshape(found, tf.concat([shape[:1], [size, count], shape[1:]], axis=0))
            return done + 1, total + tf.einsum("n,bnthwc->bthwc", tf.gather(padded, numbers), found)

        total = tf.zeros(tf.concat([shape[:1], [count], shape[1:]], axis=0))
        _, total = tf.while_loop(
            lambda done, total: done < rounds,
            add,
            (0, total),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, count, None, None, None])),
            parallel_iterations=1,
        )
        return tf.ensure_shape(total, [images.shape[0], count, *images.shape[1:]])
