"""The dense CRF's mean field as a layer: for the GPU, and for networks that end in a learnt CRF (CRF-as-RNN)."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from wsseg.errors import InputError, require_whole
from wsseg.layers.grid_rules import same
from wsseg.layers.permutohedral import Lattice, filtered, lattice
from wsseg.refiners.dense_crf.presets import PRESETS

LARGEST = 4096
"""Largest side in pixels, and largest batch, where the graph does not know the numbers."""


@keras.saving.register_keras_serializable(package="wsseg")
class MeanFieldCRF(keras.layers.Layer):
    """Sharpen logits along colour edges by the mean field of a fully connected CRF.

    This is the computation of `wsseg.refiners.DenseCRF`, on the permutohedral lattice (not in windows, as in ConvCRF).
    The labels of both agree on more than 99.95 % of the pixels of photographs. The layer works in a graph and on
    batches, and gives gradients for the logits and for the CRF's own weights (not for the images). On a CPU, `DenseCRF`
    is several times as fast.

    Start with Q = softmax(logits); then repeat Q = softmax(logits - sum_m m(Q) compatibility) `iterations` times. Here
    m(Q) is the Gaussian filter of Q, normalised symmetrically, times the kernel's weight for each label. The trainable
    weights are `gaussian_weight` and `bilateral_weight`, `(K,)`, which start from the given numbers, and
    `compatibility`, `(K, K)`: the energy that label l adds to label k, at first 1 where they differ (Potts).

    Args:
        gaussian_sxy: Standard deviation of the smoothness kernel, pixels.
        gaussian_weight: Initial weight of the smoothness kernel; 0 removes the kernel.
        bilateral_sxy: Positional standard deviation of the appearance kernel, pixels.
        bilateral_srgb: Colour standard deviation of the appearance kernel, in units of 0..255.
        bilateral_weight: Initial weight of the appearance kernel; 0 removes the kernel.
        iterations: Number of mean-field iterations: 10 for inference; 5 are usual for training.
        room: Capacity of the lattice in points per pixel; 256 points are added. With a capacity, the shapes inside the
            layer depend on the inputs' shapes alone, as XLA (`jit_compile=True`) requires. Photographs of 300 x 400
            pixels need 0.1 to 1.2 with the presets, small crops of rough fur 2.4; 6 is always enough. Where the
            capacity is too small, the outputs are NaN. None for no limit; XLA cannot compile such a layer, and the
            layer tells Keras so.

    Call it with `[images, logits]`: images `(B, H, W, 3)` RGB in 0..255 of any dtype, and logits `(B, H, W, K)` float,
    such as the log of probabilities or a segmenter's output. It returns `(B, H, W, K) float32` logits, whose softmax is
    the marginals. Padding is treated like any other pixel, so give images without padding. Where the graph does not
    know them, sides and batch must be at most 4,096: pixels of a larger image would get wrong neighbours.

    Raises:
        InputError: A value is out of range, or the inputs have another form.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((1, 4, 6, 3), np.uint8)
        >>> image[:, :, 3:] = 255
        >>> logits = np.zeros((1, 4, 6, 2), np.float32)
        >>> logits[0, 0, 0], logits[0, 0, 5] = (2, 0), (0, 2)
        >>> np.array(MeanFieldCRF.preset("irn")([image, logits])).argmax(-1)[0, 2].tolist()
        [0, 0, 0, 1, 1, 1]

    References:
        Kraehenbuehl and Koltun, NIPS 2011; Zheng et al., Conditional Random Fields as Recurrent Neural Networks, ICCV
        2015, section 4 (iteration as layers, learnt weights for each label, learnt compatibility).
    """

    output_grid = same

    def __init__(
        self,
        gaussian_sxy: float = 3,
        gaussian_weight: float = 3,
        bilateral_sxy: float = 50,
        bilateral_srgb: float = 5,
        bilateral_weight: float = 10,
        iterations: int = 10,
        room: float | None = None,
        **kwargs: Any,
    ):
        # Half precision is too coarse to distinguish neighbouring pixels.
        super().__init__(**(kwargs | {"dtype": "float32", "autocast": False}))
        for name, value in (("gaussian_sxy", gaussian_sxy), ("bilateral_sxy", bilateral_sxy)):
            if not 0 < value < math.inf:
                raise InputError(f"`{name}` must be positive; got {value}; see MeanFieldCRF.preset")
        if not 0.1 <= bilateral_srgb < math.inf:
            raise InputError(f"`bilateral_srgb` must be at least 0.1; got {bilateral_srgb}; try 5")
        for name, value in (("gaussian_weight", gaussian_weight), ("bilateral_weight", bilateral_weight)):
            if not 0 <= value < math.inf:
                raise InputError(f"`{name}` must be 0 or more; got {value}; 0 turns the kernel off")
        iterations = require_whole("iterations", iterations, hint="try 10")
        if room is not None and not 0 < room <= 6:
            raise InputError(f"`room` must be above 0 and at most 6 points per pixel; got {room}; try 1")
        self.supports_jit = room is not None
        self.options = {
            "gaussian_sxy": gaussian_sxy,
            "gaussian_weight": gaussian_weight,
            "bilateral_sxy": bilateral_sxy,
            "bilateral_srgb": bilateral_srgb,
            "bilateral_weight": bilateral_weight,
            "iterations": iterations,
            "room": room,
        }

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> "MeanFieldCRF":
        """Return the layer with the parameters of a published implementation: `irn`, `psa`, `deeplab_v2` or `toco`."""
        if name not in PRESETS:
            raise InputError(f"unknown CRF preset `{name}`; there is: {', '.join(PRESETS)}")
        return cls(**(PRESETS[name] | overrides))

    def build(self, input_shape):
        """Create the weights for the number of labels."""
        labels = input_shape[1][-1]
        for name in ("gaussian_weight", "bilateral_weight"):
            if self.options[name]:
                first = keras.initializers.Constant(self.options[name])
                setattr(self, name, self.add_weight(shape=(labels,), initializer=first, name=name))
        self.compatibility = self.add_weight(shape=(labels, labels), initializer=_potts, name="compatibility")

    def call(self, inputs):
        """Return the logits after the last iteration."""
        images, logits = inputs
        if len(images.shape) != 4 or images.shape[-1] != 3 or images.shape[1:3] != logits.shape[1:3]:
            raise InputError(
                f"the CRF takes [images (B, H, W, 3), logits (B, H, W, K)]; got {images.shape} and {logits.shape}"
            )
        # The order is (H, W, B, K), so the smoothness kernel, which all images share, can read it as (H W, B K), and
        # the appearance kernel as (H W B, K).
        given = ops.transpose(ops.cast(logits, "float32"), (1, 2, 0, 3))
        kernels = self._kernels(ops.stop_gradient(ops.cast(images, "float32")), ops.shape(given)[-1])

        def step(count, logits):
            messages = sum(kernel(ops.softmax(logits, axis=-1)) for kernel in kernels)
            return count + 1, given - ops.matmul(messages, self.compatibility)

        if kernels:
            count = self.options["iterations"]
            _, logits = ops.while_loop(lambda i, _: i < count, step, (0, given), maximum_iterations=count)
        else:
            logits = given
        return ops.transpose(logits, (2, 0, 1, 3))

    def _kernels(self, images, labels) -> list[Callable[[Any], Any]]:
        """Return one function per kernel, from marginals to messages, both `(H, W, B, K)`."""
        batch, height, width = ops.shape(images)[:3]
        rows, columns = ops.meshgrid(ops.arange(height), ops.arange(width), indexing="ij")
        positions = ops.cast(ops.reshape(ops.stack([columns, rows], axis=-1), (-1, 2)), "float32")
        largest = [images.shape[axis] or LARGEST for axis in (2, 1)]
        made = []
        if self.options["gaussian_weight"]:
            sxy = self.options["gaussian_sxy"]
            over = self._lattice(positions / sxy, [side / sxy for side in largest], 0 * positions[:, 0], 1)
            made.append(_kernel(over, self.gaussian_weight, (height * width, batch * labels)))
        if self.options["bilateral_weight"]:
            sxy, srgb = self.options["bilateral_sxy"], self.options["bilateral_srgb"]
            colours = ops.reshape(ops.transpose(images, (1, 2, 0, 3)), (-1, 3))
            features = ops.concatenate([ops.repeat(positions / sxy, batch, axis=0), colours / srgb], axis=-1)
            groups = ops.tile(ops.arange(batch), [height * width])
            highest = [side / sxy for side in largest] + 3 * [255 / srgb]
            over = self._lattice(features, highest, groups, images.shape[0] or LARGEST)
            made.append(_kernel(over, self.bilateral_weight, (height * width * batch, labels)))
        return made

    def _lattice(self, features, highest, groups, group_count) -> Lattice:
        room = self.options["room"]
        if room is not None:
            count, corners = ops.shape(features)[0], features.shape[-1] + 1
            room = ops.minimum(
                ops.cast(ops.ceil(room * ops.cast(count, "float32")), "int32") + 256, corners * count
            )
        return lattice(features, highest, ops.cast(groups, "int64"), group_count, room)

    def compute_output_shape(self, input_shape):
        """Return the logits' shape."""
        return tuple(input_shape[1])

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | self.options


def _kernel(over: Lattice, weight, shape: tuple) -> Callable[[Any], Any]:
    """Return the filter on a lattice, normalised on both sides, times the labels' weights."""
    norm = ops.rsqrt(filtered(ops.ones_like(over.weights[0]), over) + 1e-20)
    norm = ops.where(over.number < ops.shape(over.neighbours)[-1], norm, math.nan)

    def kernel(marginals):
        message = norm * filtered(norm * ops.reshape(marginals, shape), over)
        return weight * ops.reshape(message, ops.shape(marginals))

    return kernel


def _potts(shape, dtype=None):
    return ops.ones(shape, dtype) - ops.eye(shape[0], dtype=dtype)
