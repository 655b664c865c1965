"""U-Net: a contracting and an expanding path with a skip at each level, with or without padding."""

import math
from pathlib import Path

import keras
from keras import layers

from wsseg.backbones.vgg_chain import image_input
from wsseg.errors import InputError
from wsseg.layers.crop_and_concat import crop_and_concat
from wsseg.layers.image_preprocessing import ImagePreprocessing
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.size_guard import SizeGuard
from wsseg.segmenters.segmenter import Graph

LEVELS = 4  # number of poolings, so the coarsest features have stride 16
DROPOUT = 0.5  # from the authors' network definition; the paper gives no rate
SIZES = {"same": LegalSizes(16, 0, 16), "valid": LegalSizes(16, 12, 188)}
MARGIN = {"same": 0, "valid": 92}


def unet(
    num_classes: int,
    padding: str,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 64,
) -> Graph:
    """Build U-Net.

    "valid" is the published network. Its convolutions have no padding, so 572 x 572 pixels give 388 x 388 logits,
    92 fewer at each border; `wsseg.segmenters.overlap_tile` predicts whole images with it. The sizes of its skips
    fit only if the sides are 12 modulo 16. "same" pads with zeros and gives logits of the image's size.

    31,031,810 parameters for two classes: the paper's 31,030,658, and 1,152 more in the first layer for three image
    channels instead of one. The image is scaled to [-1, 1]. As in the paper's figure 1, no ReLU follows an
    up-convolution (the authors' network definition has one). There is no backbone, because no layer is pretrained:
    all layers train at the same learning rate.

    Args:
        num_classes: Number of classes, including the background.
        padding: Padding of the 3x3 convolutions: "valid" or "same".
        weights: None; there are no pretrained weights (`create` accepts a `.keras` file of a segmenter).
        input_size: `(H, W)`, or None for any supported size.
        channels: Number of channels of the first level, doubled at each of the four levels below; 64 in the paper.

    Raises:
        InputError: The padding or size is not supported, or weights are given.

    References:
        Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015,
        sections 2 and 3, figure 1.
    """
    if padding not in SIZES:
        raise InputError(f"`padding` must be 'same' or 'valid'; got {padding!r}")
    name = "unet" if padding == "same" else "unet_valid"
    if weights is not None:
        raise InputError(
            f"`weights`: `{name}` has no pretrained backbone, so it cannot start from {str(weights)!r}; "
            "use null, or the .keras file of a segmenter"
        )
    sizes = SIZES[padding]
    image = image_input(input_size)
    sizes.check(input_size or (None, None), name)
    tensor = SizeGuard(sizes.multiple, sizes.remainder, sizes.smallest, name, name="size_guard")(image)
    tensor = ImagePreprocessing("tf", name="image_preprocessing")(tensor)

    skips = []
    for level in range(LEVELS):
        tensor = _two_convolutions(tensor, channels * 2**level, padding, f"down_{level}")
        if level == LEVELS - 1:
            tensor = layers.Dropout(DROPOUT, name=f"down_{level}_dropout")(tensor)
        skips.append(tensor)
        tensor = layers.MaxPooling2D(name=f"down_{level}_pool")(tensor)
    tensor = _two_convolutions(tensor, channels * 2**LEVELS, padding, "bottom")
    tensor = layers.Dropout(DROPOUT, name="bottom_dropout")(tensor)
    for level in reversed(range(LEVELS)):
        width = channels * 2**level
        tensor = layers.Conv2DTranspose(
            width, 2, strides=2, kernel_initializer=_up_convolution_weights(2 * width), name=f"up_{level}"
        )(tensor)
        tensor = crop_and_concat(skips[level], tensor, name=f"up_{level}_concat")
        tensor = _two_convolutions(tensor, width, padding, f"up_{level}")
    logits = layers.Conv2D(num_classes, 1, kernel_initializer="he_normal", dtype="float32", name="logits")(
        tensor
    )
    return Graph(image, logits, sizes=sizes, margin=MARGIN[padding])


def _two_convolutions(tensor, channels: int, padding: str, name: str):
    for index in (1, 2):
        # Section 3: Gaussian weights of standard deviation sqrt(2 / N), where N is the number of inputs of a neuron.
        tensor = layers.Conv2D(
            channels,
            3,
            padding=padding,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_conv{index}",
        )(tensor)
    return tensor


def _up_convolution_weights(inputs: int) -> keras.initializers.Initializer:
    """Return initial weights of standard deviation sqrt(2 / N) for a 2x2 transposed convolution of stride 2.

    Each output pixel sees one input pixel, so N is the number of input channels. Keras' `he_normal` would count all
    four positions of the kernel, and its output channels.
    """
    return keras.initializers.RandomNormal(stddev=math.sqrt(2 / inputs))
