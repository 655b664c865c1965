"""FCN-32s, FCN-16s and FCN-8s: VGG-16 made convolutional, and skips from its poolings summed to its scores."""

from pathlib import Path

import keras
from keras import layers

from wsseg.backbones.vgg_chain import POOLS, image_input, vgg16
from wsseg.backbones.vgg_dense import fc6_fc7
from wsseg.errors import InputError
from wsseg.layers.bilinear_initializer import Bilinear
from wsseg.layers.crop_to import CropTo
from wsseg.segmenters.segmenter import Graph

BACKBONES = ("vgg16", "vgg16_torch")
IMAGE_PADDING = 100

# Of each skip: the pooling, the upsampling that it is added to, how much of the skip ("published") or of the
# upsampled scores ("same") is cut off above and to the left.
SKIPS = {
    "pool4": ("block4_pool", "upscore2", {"published": 5, "same": 1}),
    "pool3": ("block3_pool", "upscore_pool4", {"published": 9, "same": 1}),
}
TAKEN = {32: (), 16: ("pool4",), 8: ("pool4", "pool3")}
# What is cut off the last upsampling, by stride: to where the cells look (`tests/segmenters/test_fcn.py` derives it).
IMAGE_OFFSETS = {"published": {32: 19, 16: 27, 8: 31}, "same": {32: 16, 16: 8, 8: 4}}


def fcn(
    num_classes: int,
    stride: int,
    backbone: str = "vgg16",
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    channels: int = 4096,
    padding: str = "published",
) -> Graph:
    """Build FCN at one of its three strides.

    VGG-16 with fc6 (7x7) and fc7 (1x1) in place of its dense layers; 1x1 convolutions score fc7 and, for the
    finer strides, pool4 and pool3; the coarser scores are upsampled by 2 and added. Score layers begin at zero,
    so a network started from the coarser one (`weights` its `.keras` file) begins with its predictions. Upsampling
    is by transposed convolutions that begin as bilinear interpolation; as in the paper those in between are
    learnt and the last is fixed (the released Caffe networks fix all, "no significant difference"). The skips
    are not scaled down: that is the released "at-once" network; ours is the paper's, trained in stages.

    Poolings round sizes up, as Caffe does, so every image from 1 x 1 pixel on is legal.

    134.5 M parameters for FCN-8s and 21 classes.

    Args:
        num_classes: Background included.
        stride: 32, 16 or 8.
        backbone: "vgg16", or "vgg16_torch" for weights imported from torchvision.
        weights: None, "imagenet", or a weights file of the backbone; with the file's top fc6 and fc7 are its
            dense layers (`wsseg.backbones.vgg_dense`), without it they are random.
        input_size: `(H, W)`, or None for any from 1 pixel on.
        channels: Of fc6 and fc7.
        padding: "published": 100 pixels of zeros around the preprocessed image and no padding in fc6, as
            released. "same": no padding of the image, and fc6 keeps the size: the same weights for a fraction
            of the work on small images (a 64 x 64 image is otherwise computed as 262 x 262), with
            borders that see fewer zeros. Both place their scores where the cells look.

    Raises:
        InputError: Another backbone, stride or padding, an illegal size, or weights that don't fit.

    References:
        Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, sections 3.1, 3.3 and 4.
        Offsets and padding: the networks released with it (github.com/shelhamer/fcn.berkeleyvision.org).
    """
    if backbone not in BACKBONES:
        raise InputError(
            f"`backbone` of `fcn_{stride}s` must be {' or '.join(BACKBONES)}; got {backbone!r}; "
            "`fcn_resnet50` is FCN on a ResNet"
        )
    if stride not in TAKEN:
        raise InputError(f"`stride` must be 32, 16 or 8; got {stride!r}")
    if padding not in IMAGE_OFFSETS:
        raise InputError(f"`padding` must be 'published' or 'same'; got {padding!r}")
    image = image_input(input_size)
    exchanged = {pool: [{"padding": "same"}] for pool in POOLS}  # 2x2 at stride 2: Caffe's rounding up
    if padding == "published":
        # The first convolution pads by 1 itself.
        exchanged["block1_conv1"] = [layers.ZeroPadding2D(IMAGE_PADDING - 1, name="image_padding"), {}]
    chain = vgg16(image, weights, exchanged, backbone)
    fc7 = fc6_fc7(
        chain.get_layer("block5_pool").output,
        channels,
        weights,
        padding="valid" if padding == "published" else "same",
    )
    network = keras.Model(image, chain.output | {"fc7": fc7}, name=chain.name)

    x = _score(fc7, num_classes, "score_fr")
    for skip in TAKEN[stride]:
        pool, upscore, offsets = SKIPS[skip]
        x = _upscore(x, 2, upscore)
        finer = _score(network.get_layer(pool).output, num_classes, f"score_{skip}")
        crop = CropTo((offsets[padding],) * 2, name=f"crop_{skip}")
        finer, x = (crop([finer, x]), x) if padding == "published" else (finer, crop([x, finer]))
        x = layers.Add(name=f"fuse_{skip}")([x, finer])
    x = _upscore(x, stride, f"upscore{stride}", trainable=False, dtype="float32")
    offset = IMAGE_OFFSETS[padding][stride]
    logits = CropTo((offset, offset), name="logits", dtype="float32")([x, image])
    return Graph(image, logits, network)


def _score(features: keras.KerasTensor, num_classes: int, name: str) -> keras.KerasTensor:
    """Classify each cell; zero to begin with (section 4.1)."""
    return layers.Conv2D(num_classes, 1, kernel_initializer="zeros", name=name)(features)


def _upscore(
    scores: keras.KerasTensor, factor: int, name: str, trainable: bool = True, dtype: str | None = None
) -> keras.KerasTensor:
    """Upsample `(B, h, w, K)` to `(B, f h + f, f w + f, K)`: whole kernels at the border too, as Caffe does.

    Cell `i` comes to lie at `f i + f - 1/2`.
    """
    return layers.Conv2DTranspose(
        scores.shape[-1],
        2 * factor,
        strides=factor,
        use_bias=False,
        kernel_initializer=Bilinear(),
        trainable=trainable,
        dtype=dtype,
        name=name,
    )(scores)
