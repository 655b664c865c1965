"""ResNet-50 and ResNet-101 as in torchvision, so that torchvision's weights fit."""

from typing import Any

import keras
from keras import layers

from wsseg.errors import InputError

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottleneck blocks of the four stages (He et al. 2016, table 1)."""

EXPANSION = 4  # channel factor of a block's last convolution (He et al. 2016, figure 5)
MOMENTUM = 0.9  # 0.1 in PyTorch, which counts the weight of the new statistic
EPSILON = 1e-5


def resnet_torch(
    depth: int,
    include_top: bool = True,
    weights: None = None,
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    classes: int = 1000,
) -> keras.Model:
    """Build torchvision's ResNet; the arguments are those of the networks of `keras.applications`.

    It differs from Keras' ResNet in four ways. A block halves the size in its 3x3 convolution, not in its first 1x1
    convolution ("v1.5"). No convolution has a bias. The epsilon of batch norm is 1e-5. The image is standardised by
    mode "torch" of `ImagePreprocessing`. A separate layer pads with zeros before each strided window, evenly at both
    ends. Before the max pooling these zeros do not matter, since it follows a ReLU.

    Layers are named after torchvision's modules: `layer3.0.conv2` becomes `layer3_0_conv2`.

    Args:
        depth: 50 or 101.
        include_top: Whether global average pooling and the classification layer `fc` are added.
        weights: Must be None; there are no weights to download.
        input_tensor: Preprocessed tensor `(B, H, W, 3)` that the network reads; None for a new input.
        input_shape: Shape `(H, W, 3)` of a new input; None for any size.
        classes: Number of classes of the top.

    Returns:
        A functional model -> `(B, ceil(H / 32), ceil(W / 32), 2048)`, or logits `(B, classes)`.

    Raises:
        InputError: `weights` is not None.

    References:
        He et al., Deep Residual Learning, CVPR 2016. Details are from torchvision 0.29's `models/resnet.py`; a test
        compares both networks.
    """
    if weights is not None:
        raise no_download(f"resnet{depth}_torch")
    image = layers.Input(input_shape or (None, None, 3)) if input_tensor is None else input_tensor
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = layers.ReLU(name="relu")(_convolution(x, 64, 7, "conv1", "bn1", stride=2, padding="valid"))
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="maxpool")(x)
    for stage, blocks in enumerate(BLOCKS[depth]):
        for index in range(blocks):
            stride = 2 if stage > 0 and index == 0 else 1
            x = _bottleneck(x, 64 * 2**stage, stride, f"layer{stage + 1}_{index}", project=index == 0)
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avgpool")(x)
        x = layers.Dense(classes, name="fc", dtype="float32")(x)
    source = image if input_tensor is None else keras.utils.get_source_inputs(image)
    return keras.Model(source, x, name=f"resnet{depth}_torch")


def no_download(name: str) -> InputError:
    """Return the error for `weights="imagenet"` of a network whose weights come from torchvision."""
    return InputError(
        f"`{name}` has no weights to download; convert a file of torchvision: wsseg import-weights FILE "
        f"--network {name} --out {name}.weights.h5"
    )


def _bottleneck(x: Any, channels: int, stride: int, name: str, project: bool) -> Any:
    shortcut = x
    if project:  # torchvision calls this pair `downsample`, also where it keeps the size
        shortcut = _convolution(
            x, EXPANSION * channels, 1, f"{name}_downsample_0", f"{name}_downsample_1", stride
        )
    x = layers.ReLU(name=f"{name}_relu1")(_convolution(x, channels, 1, f"{name}_conv1", f"{name}_bn1"))
    if stride > 1:  # Keras' "same" would put all zeros at the end
        x = layers.ZeroPadding2D(1, name=f"{name}_conv2_pad")(x)
    padding = "valid" if stride > 1 else "same"
    x = _convolution(x, channels, 3, f"{name}_conv2", f"{name}_bn2", stride, padding)
    x = layers.ReLU(name=f"{name}_relu2")(x)
    x = _convolution(x, EXPANSION * channels, 1, f"{name}_conv3", f"{name}_bn3")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))


def _convolution(
    x: Any, channels: int, kernel: int, name: str, norm: str, stride: int = 1, padding: str = "valid"
) -> Any:
    x = layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding=padding,
        use_bias=False,
        # He et al. 2015, with the fan of the outputs: torchvision's initial values.
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        name=name,
    )(x)
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=norm)(x)
