"""Guided backpropagation: the gradient with respect to the image, with negative gradients stopped at every ReLU."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from wsseg.explainers.guided_relu import differentiate_guided
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.explainers.score import Score


class GuidedBackprop(ImageGradient):
    r"""Guided backpropagation (Springenberg et al. 2015, section 3.4 and figure 1).

    In the backward pass through a ReLU $f$ with input $z$, the gradient $R$ becomes $f'(z) \max(R, 0)$. This combines
    the backward passes of the ReLU ($z > 0$) and of the deconvnet ($R > 0$). The forward pass is unchanged. ReLUs
    with a ceiling, a threshold or a (learnt) negative slope follow the same rule; their $f'$ is 0, 1 or the slope.
    All other activations keep their own gradient. A hard sigmoid is computed with ReLU6 and counts as a ReLU. The map
    is the largest magnitude over the channels. It shows what the network responds to in sharp detail, but depends
    little on the class.

    Args:
        model: Any Keras model with an image among its inputs and at least one ReLU. The ReLU may be a layer, a layer's
            activation, or an operation, also inside nested and subclassed models.
        layer: Must be None: the image itself is explained.
        output: Name or position of the output to explain, for a model with several outputs.
        reduction: A key of `REDUCTIONS`: how the maps reduce the channels.

    Attributes:
        relus: Number of ReLUs guided in the latest trace; 0 before the first call.

    Raises:
        InputError: When called: the model has no ReLU (the message names its activations), or has a ReLU inside a
            separately compiled function.

    References:
        Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR Workshop 2015.
    """

    relus = 0

    def gradients(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Differentiate the scores with respect to the image, with guided ReLUs."""
        images = tf.cast(inputs[self.network.image], tf.float32)
        found, self.relus = differentiate_guided(
            lambda x: score(self.network.outputs(self.with_images(inputs, x))), images, self.network
        )
        return found
