"""Guided backpropagation: the gradient by the image, negative gradients stopped at every ReLU."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from wsseg.explainers.core import Score
from wsseg.explainers.guided_relu import differentiate_guided
from wsseg.explainers.image_gradient import ImageGradient


class GuidedBackprop(ImageGradient):
    r"""Guided backpropagation (Springenberg et al. 2015, section 3.4 and figure 1).

    Backwards through a ReLU $f$ with input $z$, the gradient $R$ becomes $f'(z) \max(R, 0)$: the ReLU's own backward
    pass ($z > 0$) and the deconvnet's ($R > 0$) together. The forward pass is unchanged. The same rule is used for
    ReLUs with a ceiling, threshold or (learnt) negative slope, whose $f'$ is 0 or 1 or the slope. All other
    activations keep their own gradient; a hard sigmoid is written with ReLU6 and counts as one. The map is the
    largest magnitude over the channels. It shows what the network responds to in crisp detail, but depends little
    on the class.

    Args:
        model: Any Keras model with an image among its inputs and a ReLU, in whatever form: a layer, the activation
            of a layer, or an operation, in nested and subclassed models too.
        layer: None; there is no layer to choose.
        output: Name or position of the output to explain, where the model has several.
        reduction: A key of `REDUCTIONS`: how the maps reduce the channels.

    Attributes:
        relus: How many ReLUs were guided, when last traced; 0 before.

    Raises:
        InputError: When called: the model has no ReLU (the message names its activations), or one inside a
            function compiled by itself.

    References:
        Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR Workshop 2015.
    """

    relus = 0

    def gradients(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Differentiate the scores by the image, with guided ReLUs."""
        images = tf.cast(inputs[self.network.image], tf.float32)
        found, self.relus = differentiate_guided(
            lambda x: score(self.network.outputs(self.with_images(inputs, x))), images, self.network
        )
        return found
