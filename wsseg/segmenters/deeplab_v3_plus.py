"""DeepLab v3+: atrous encoder, pyramid, and a decoder that adds stride-4 detail."""

from typing import Any

import keras
from keras import layers

from wsseg import backbones
from wsseg.backbones.alignment import grids
from wsseg.errors import InputError
from wsseg.layers.aspp import RATES, aspp, convolution
from wsseg.layers.bilinear_resize import BilinearResizeTo


@keras.saving.register_keras_serializable(package="wsseg")
class DeepLabV3Plus(keras.Model):
    """DeepLab v3+ on any backbone.

    The pyramid's result is upsampled to stride 4, joined with the low-level features (reduced to 48
    channels), refined by two 3x3 separable convolutions, classified, and upsampled to the input's size.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Background included.
        output_stride: 32, 16 or 8, of the encoder.
        weights: Of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        channels: Of pyramid and decoder; 256 in the paper, fewer for small data or machines.
        alpha: Width of a MobileNet, or None to take it from the name or the weights file.

    References:
        Chen et al., Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation,
        ECCV 2018, section 3.
    """

    LOW_LEVEL_CHANNELS = 48  # section 4.1

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        output_stride: int = 16,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        channels: int = 256,
        alpha: float | None = None,
        name: str = "deeplab_v3_plus",
        **kwargs: Any,
    ):
        if num_classes < 2:
            raise InputError(
                f"`num_classes` counts the background, so it must be at least 2; got {num_classes}"
            )
        # === Layers and graph ===
        options = {} if alpha is None else {"alpha": alpha}
        network = backbones.create(backbone, output_stride, weights=weights, input_size=input_size, **options)
        image, levels = network.inputs[0], network.output
        pyramid = aspp(levels["level_5"], channels, RATES[output_stride])
        low = convolution(levels["level_2"], self.LOW_LEVEL_CHANNELS, "low_level")
        to_low, to_image = shifts(network)
        fused = layers.Concatenate(name="decoder_concat")(
            [BilinearResizeTo(to_low, name="pyramid_resize")([pyramid, low]), low]
        )
        for index in range(2):
            fused = convolution(fused, channels, f"decoder_{index}", kernel=3, separable=True)
        scores = layers.Conv2D(num_classes, 1, dtype="float32", name="scores")(fused)
        logits = BilinearResizeTo(to_image, name="logits", dtype="float32")([scores, image])

        # === Functional model ===
        super().__init__(inputs=image, outputs=logits, name=name, **kwargs)

        # === Config ===
        self.backbone = backbone
        self.num_classes = num_classes
        self.output_stride = output_stride
        self.input_size = None if input_size is None else tuple(input_size)
        self.channels = channels
        self.alpha = alpha if alpha is not None else getattr(network, "alpha", None)
        self.backbone_layers = tuple(layer.name for layer in network.layers)

    @property
    def head_variables(self) -> list[keras.Variable]:
        """The trainable variables that are not the backbone's."""
        own = [layer for layer in self.layers if layer.name not in self.backbone_layers]
        return [variable for layer in own for variable in layer.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the weights are saved apart."""
        return {
            "backbone": self.backbone,
            "num_classes": self.num_classes,
            "output_stride": self.output_stride,
            "input_size": self.input_size,
            "channels": self.channels,
            "alpha": self.alpha,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "DeepLabV3Plus":
        """Rebuild from `get_config`."""
        return cls(**config)


def shifts(network: keras.Model) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return how far the decoder's two resizings must move their input so that all levels look at one place.

    Returns:
        `(shift_hw of level_5 when resized to level_2, shift_hw of level_2 when resized to the image)`, in
        cells of the tensor that is resized; 0 for a network that looks where half-pixel resizing assumes.
    """
    found = grids(network)
    deep, low = (found[id(network.output[level])] for level in ("level_5", "level_2"))
    pairs = zip(low.displacement_hw, deep.displacement_hw, deep.stride_hw)
    to_low = tuple((to - of) / stride for to, of, stride in pairs)
    to_image = tuple(-of / stride for of, stride in zip(low.displacement_hw, low.stride_hw))
    return to_low, to_image
