"""SmoothGrad: the gradient, averaged over noisy copies of the image."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from wsseg.errors import require, require_whole
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.explainers.score import Score


class SmoothGrad(ImageGradient):
    r"""Mean gradient over noisy copies of the image (Smilkov et al. 2017, section 3).

    $\hat M(x) = \frac{1}{n} \sum_{i=1}^n \frac{\partial y}{\partial x}(x + \epsilon_i)$ with $\epsilon_i$ Gaussian of
    standard deviation `noise` times the image's range, $\max x - \min x$. The map is the sum of the magnitudes over
    the channels. Every image of a batch gets the same noise, scaled by its range, so a map depends neither on the
    batch nor on `at_once`.

    Args:
        model: Any Keras model with an image among its inputs; other inputs are held fixed.
        layer: Must be None: the image itself is explained.
        output: Name or position of the output to explain, for a model with several outputs.
        reduction: A key of `REDUCTIONS`: how the maps reduce the channels.
        copies: Number $n$ of noisy copies; the paper finds little gain above 50.
        noise: Standard deviation as a share of the image's range; 0.1 to 0.2 in the paper. Use less for a model whose
            predictions change under such noise (often small networks on clean images): its maps show nothing then.
        seed: Random seed of the noise.
        at_once: Copies of each image in one pass; more copies need more memory.
        image: Name or position of the explained image, for a model with several images.

    Raises:
        InputError: An option has an invalid value.

    References:
        Smilkov et al., SmoothGrad: Removing Noise by Adding Noise, ICML Workshop on Visualization 2017.
    """

    def __init__(
        self,
        model: keras.Model,
        layer: str | None = None,
        output: str | int | None = None,
        reduction: str = "absolute",
        copies: int = 50,
        noise: float = 0.15,
        seed: int = 0,
        at_once: int = 8,
        *,
        image: str | int | None = None,
    ):
        require_whole("copies", copies, hint="try 50")
        require("noise", noise, lambda x: 0 <= x < 10, "a share of the image's range, 0 or more; try 0.15")
        require("seed", seed, lambda n: 0 <= n == int(n) < 2**31, "a whole number in [0, 2^31)")
        require_whole("at_once", at_once, hint="try 8")
        super().__init__(model, layer, output, reduction, image=image)
        self.copies, self.noise, self.seed, self.at_once = copies, noise, seed, at_once

    def signed(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Average the gradients at the noisy copies."""
        images = tf.cast(inputs[self.network.image], tf.float32)
        largest, smallest = (f(images, axis=(1, 2, 3), keepdims=True) for f in (tf.reduce_max, tf.reduce_min))
        deviation = self.noise * (largest - smallest)

        def noisy(numbers: tf.Tensor) -> tf.Tensor:
            # One seed per copy: the noise does not depend on the number of copies per pass.
            epsilon = [self.epsilon(number, tf.shape(images)[1:]) for number in tf.unstack(numbers)]
            return images[:, None] + deviation[:, None] * tf.stack(epsilon)

        return self.weighted_gradients(inputs, score, noisy, [1 / self.copies] * self.copies, self.at_once)

    def epsilon(self, number: int | tf.Tensor, shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
        """Return the standard normal noise of one copy, `(H, W, C)` float32.

        Args:
            number: Number of the copy, from 0.
            shape: Shape `(H, W, C)` of the image.
        """
        return tf.random.stateless_normal(shape, tf.stack([self.seed, number]), alg="philox")
