"""The dense CRF's mean field as a layer: for the GPU, and at the end of a network that learns it (CRF-as-RNN)."""

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
"""Pixels a side, and images, where the graph does not know how many."""


@keras.saving.register_keras_serializable(package="wsseg")
class MeanFieldCRF(keras.layers.Layer):
    """Sharpen logits along colour edges by the mean field of a fully connected CRF.

    The same computation as `wsseg.refiners.DenseCRF`, on the permutohedral lattice (not in windows, as ConvCRF has
    it): labels agree with it on more than 99.95 % of the pixels of photographs. Here it is a graph: batched, with
    gradients for the logits and for the CRF's own weights (not for the images). On a CPU `DenseCRF` is several times
    as fast.

    Q = softmax(logits); then `iterations` times Q = softmax(logits - sum_m m(Q) compatibility), where m(Q) is the
    Gaussian filter of Q, normalised symmetrically, times the kernel's weight for each label. Weights, trainable:
    `gaussian_weight` and `bilateral_weight`, `(K,)`, at first the numbers given; `compatibility`, `(K, K)`, what label
    l adds to the energy of label k: at first 1 where they differ (Potts).

    Args:
        gaussian_sxy: Standard deviation of the smoothness kernel, pixels.
        gaussian_weight: Its weight at first; 0 leaves the kernel out.
        bilateral_sxy: Positional standard deviation of the appearance kernel, pixels.
        bilateral_srgb: Its colour standard deviation, in 0..255 units.
        bilateral_weight: Its weight at first; 0 leaves the kernel out.
        iterations: Mean-field iterations. 10 for inference; 5 are usual for training.
        room: Lattice points for each pixel that there is room for, and 256 more. The shapes inside then depend on the
            inputs' shapes alone, which XLA (`jit_compile=True`) must have. Photographs of 300 x 400 pixels have 0.1 to
            1.2 with the presets, small crops of rough fur 2.4; 6 is always enough. Where it is too little the outputs
            are NaN. None: as many as there are; such a layer tells Keras that XLA cannot compile it.

    Call with `[images, logits]`: `(B, H, W, 3)` RGB in 0..255, of any dtype; `(B, H, W, K)` float, such as the log of
    probabilities or a segmenter's output. Returns `(B, H, W, K) float32` logits, whose softmax is the marginals. A
    pixel of padding is a pixel like others: give images that are whole. Where the graph does not know them beforehand,
    sides and batch must be at most 4,096: a larger image would get wrong neighbours.

    Raises:
        InputError: A value is out of range, or the inputs are not of this form.

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
        2015, section 4: the iteration as layers, with learnt weights for each label and a learnt compatibility.
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
        # Half precision does not tell neighbouring pixels apart.
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
            raise InputError(f"`room` must be above 0 and at most 6 points a pixel; got {room}; try 1")
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
        """Return the layer with the parameters of a public code: `irn`, `psa`, `deeplab_v2` or `toco`."""
        if name not in PRESETS:
            raise InputError(f"unknown CRF preset `{name}`; there is: {', '.join(PRESETS)}")
        return cls(**(PRESETS[name] | overrides))

    def build(self, input_shape):
        """Make the weights, for the number of labels."""
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
        # Rows are pixels, and of each pixel the images: so the smoothness kernel, which all images share, sees
        # (H W, B K), and the appearance kernel (H W B, K).
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
        """Return for each kernel what makes `(H, W, B, K)` messages of marginals."""
        batch, height, width = ops.shape(images)[:3]
        rows, columns = ops.meshgrid(ops.arange(height), ops.arange(width), indexing="ij")
        places = ops.cast(ops.reshape(ops.stack([columns, rows], axis=-1), (-1, 2)), "float32")
        largest = [images.shape[axis] or LARGEST for axis in (2, 1)]
        made = []
        if self.options["gaussian_weight"]:
            sxy = self.options["gaussian_sxy"]
            over = self._lattice(places / sxy, [side / sxy for side in largest], 0 * places[:, 0], 1)
            made.append(_kernel(over, self.gaussian_weight, (height * width, batch * labels)))
        if self.options["bilateral_weight"]:
            sxy, srgb = self.options["bilateral_sxy"], self.options["bilateral_srgb"]
            colours = ops.reshape(ops.transpose(images, (1, 2, 0, 3)), (-1, 3))
            features = ops.concatenate([ops.repeat(places / sxy, batch, axis=0), colours / srgb], axis=-1)
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
        """Return the arguments."""
        return super().get_config() | self.options


def _kernel(over: Lattice, weight, shape: tuple) -> Callable[[Any], Any]:
    """Return the filter over a lattice, normalised on both sides, times the labels' weights."""
    norm = ops.rsqrt(filtered(ops.ones_like(over.weights[0]), over) + 1e-20)
    norm = ops.where(over.number < ops.shape(over.neighbours)[-1], norm, math.nan)

    def kernel(marginals):
        message = norm * filtered(norm * ops.reshape(marginals, shape), over)
        return weight * ops.reshape(message, ops.shape(marginals))

    return kernel


def _potts(shape, dtype=None):
    return ops.ones(shape, dtype) - ops.eye(shape[0], dtype=dtype)
