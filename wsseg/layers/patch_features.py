"""A vision transformer of keras-hub as one layer: it takes images and gives a map of patch features."""

from typing import Any

import keras
from keras import ops

from wsseg.errors import require_whole
from wsseg.grid import Grid
from wsseg.layers.hub_architecture import Architecture
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.resampling import resample
from wsseg.layers.vision_tokens import patch_tokens


@keras.saving.register_keras_serializable(package="wsseg")
class PatchFeatures(keras.layers.Layer):
    """The patch tokens of a vision transformer, laid out as a feature map.

    A cell covers `output_stride` x `output_stride` pixels of the image. If `output_stride` differs from the patch's
    side, the image is first resized (linearly, with antialiasing) so that each cell becomes one patch. So a network
    with patches of 14 pixels gives a map of stride 16, or of stride 8, from the same weights.

    The layer is frozen at first; set `trainable = True` to train it. Position embeddings are never trained.

    Args:
        architecture: Text that `Architecture.parse` reads.
        output_stride: Pixels between two cells; None for the patch's side.
        trainable: Whether the layer is trained.

    Raises:
        InputError: keras-hub is not installed, the architecture is unknown, or the sides of an image are not multiples
            of `output_stride` (a size that is unknown when the graph is built passes).

    References:
        Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021. Position embeddings are interpolated as in
        Oquab et al., DINOv2, 2023.
    """

    def __init__(
        self, architecture: str, output_stride: int | None = None, trainable: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        made = Architecture.parse(architecture)
        stride = made.patch if output_stride is None else output_stride
        stride = require_whole("output_stride", stride, hint=f"try {made.patch}")
        self.architecture, self.output_stride = architecture, stride
        self.family, self.patch, self.channels = made.family, made.patch, made.channels
        self.encoder = made.build(dtype=self.dtype_policy)
        self.trainable = trainable  # set after `build`, since Keras passes it on to the existing weights
        self.sizes = LegalSizes(stride, smallest=stride)

    def output_grid(self, input_shape) -> Grid:
        """Return where the cells look, in pixels of the image: each at the centre of its own pixels."""
        return Grid.of_blocks(self.output_stride)

    def build(self, input_shape):
        """Do nothing: the constructor has built the network."""
        self.built = True

    def call(self, images, training=None):
        """Return the features.

        Args:
            images: `(B, H, W, 3)`, preprocessed.
            training: Whether the layer runs in training mode, as in any Keras layer; a frozen layer never does.

        Returns:
            `(B, H / output_stride, W / output_stride, C)`.
        """
        self._check(images.shape)
        grid_hw = tuple(side // self.output_stride for side in ops.shape(images)[1:3])
        if self.output_stride != self.patch:
            images = resample(images, tuple(n * self.patch for n in grid_hw), "linear", antialias=True)
        training = bool(training) and self.trainable
        return patch_tokens(self.family, self.encoder, images, grid_hw, training)

    def compute_output_shape(self, input_shape):
        """Return `(B, h, w, C)`."""
        self._check(input_shape)
        sides = (None if side is None else side // self.output_stride for side in input_shape[1:3])
        return (input_shape[0], *sides, self.channels)

    def _check(self, shape: Any) -> None:
        self.sizes.check(tuple(shape[1:3]), f"hub:{self.family} at output stride {self.output_stride}")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "architecture": self.architecture,
            "output_stride": self.output_stride,
        }
