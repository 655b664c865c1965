"""FCN-32s, FCN-16s and FCN-8s: a fully convolutional VGG-16, with skips from its poolings added to its scores."""

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

# For each skip: the pooling, the upsampling that it is added to, and the number of cells that are cut off at the top
# and left of the skip ("published") or of the upsampled scores ("same").
SKIPS = {
    "pool4": ("block4_pool", "upscore2", {"published": 5, "same": 1}),
    "pool3": ("block3_pool", "upscore_pool4", {"published": 9, "same": 1}),
}
TAKEN = {32: (), 16: ("pool4",), 8: ("pool4", "pool3")}
# Pixels cut off at the top and left of the last upsampling, by stride, so that scores lie at the centres of their
# receptive fields (`tests/segmenters/test_fcn.py` derives them).
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

    In VGG-16, fc6 (7x7) and fc7 (1x1) replace the dense layers. 1x1 convolutions compute scores from fc7 and, for
    the finer strides, from pool4 and pool3; the coarser scores are upsampled by 2 and added. Score layers start at
    zero, so a network that starts from a coarser one (`weights` is its `.keras` file) starts with its predictions.
    Upsampling uses transposed convolutions with bilinear initial weights. As in the paper, the last one is fixed and
    the others are learnt (the released Caffe networks fix all, "no significant difference"). The skips are not scaled
    down: only the released "at-once" network does that; this is the paper's network, trained in stages.

    Poolings round sizes up, as in Caffe, so every image of at least 1 x 1 pixel is supported.

    134.5 M parameters for FCN-8s and 21 classes.

    Args:
        num_classes: Number of classes, including the background.
        stride: Stride of the finest scores: 32, 16 or 8.
        backbone: "vgg16", or "vgg16_torch" for weights imported from torchvision.
        weights: None, "imagenet", or a weights file of the backbone. If the file includes the top, fc6 and fc7 are its
            dense layers (`wsseg.backbones.vgg_dense`); otherwise they are random.
        input_size: `(H, W)`, or None for any size of at least 1 pixel.
        channels: Number of channels of fc6 and fc7.
        padding: "published": 100 pixels of zeros around the preprocessed image and no padding in fc6, as released.
            "same": no padding of the image, and fc6 keeps the size. "same" has the same weights and takes a fraction
            of the computation on small images ("published" pads a 64 x 64 image to 262 x 262); pixels at the borders
            see fewer zeros. In both, scores lie at the centres of their receptive fields.

    Raises:
        InputError: The backbone, stride, padding or size is not supported, or the weights do not fit.

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
        # The first convolution itself pads by 1.
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
    """Compute scores for each cell; all weights start at zero (section 4.1)."""
    return layers.Conv2D(num_classes, 1, kernel_initializer="zeros", name=name)(features)


def _upscore(
    scores: keras.KerasTensor, factor: int, name: str, trainable: bool = True, dtype: str | None = None
) -> keras.KerasTensor:
    """Upsample `(B, h, w, K)` by a factor f to `(B, f h + f, f w + f, K)`: no kernel is cut off, as in Caffe.

    The centre of cell `i` lies at `f i + f - 1/2`.
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
