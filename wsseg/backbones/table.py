"""The networks of `keras.applications` and of wsseg that serve as backbones: plain data, one entry per network.

A level is the last activation at its stride: level n has stride 2^n in the original network. In MobileNetV2 and
EfficientNet this is the expansion inside the first block of the next stage, which has more channels than any other
layer of that stride.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Network:
    """How to build one network.

    Attributes:
        application: Name in `keras.applications`, or "module:function" of a function with the same arguments.
        preprocessing: Mode of `ImagePreprocessing`.
        levels: Name of a level -> name of the layer whose output it is.
        arguments: Fixed arguments of the application.
        options: Options of `create` that are passed on to the application, with their defaults.
    """

    application: str
    preprocessing: str
    levels: Mapping[str, str]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def _vgg16(application: str, preprocessing: str) -> Network:
    return Network(
        application,
        preprocessing,
        {
            "level_1": "block2_conv2",
            "level_2": "block3_conv3",
            "level_3": "block4_conv3",
            "level_4": "block5_conv3",
            "level_5": "block5_pool",
        },
    )


def _resnet(application: str, last_of_stage_4: int) -> Network:
    return Network(
        application,
        "caffe",
        {
            "level_1": "conv1_relu",
            "level_2": "conv2_block3_out",
            "level_3": "conv3_block4_out",
            "level_4": f"conv4_block{last_of_stage_4}_out",
            "level_5": "conv5_block3_out",
        },
    )


def _resnet_torch(depth: int, last_of_stage_3: int) -> Network:
    return Network(
        "wsseg.backbones.resnet_torch:resnet_torch",
        "torch",
        {
            "level_1": "relu",
            "level_2": "layer1_2_out",
            "level_3": "layer2_3_out",
            "level_4": f"layer3_{last_of_stage_3}_out",
            "level_5": "layer4_2_out",
        },
        arguments={"depth": depth},
    )


def _efficientnet(application: str) -> Network:
    # Its preprocessing is in the application's first layers (`Rescaling`, `Normalization`).
    return Network(
        application,
        "none",
        {
            "level_1": "block2a_expand_activation",
            "level_2": "block3a_expand_activation",
            "level_3": "block4a_expand_activation",
            "level_4": "block6a_expand_activation",
            "level_5": "top_activation",
        },
    )


NETWORKS: dict[str, Network] = {
    "vgg16": _vgg16("VGG16", "caffe"),
    "vgg16_torch": _vgg16("wsseg.backbones.vgg_torch:vgg16_torch", "torch"),
    "resnet50": _resnet("ResNet50", 6),
    "resnet101": _resnet("ResNet101", 23),
    "resnet50_torch": _resnet_torch(50, 5),
    "resnet101_torch": _resnet_torch(101, 22),
    "mobilenet": Network(
        "MobileNet",
        "tf",
        {
            "level_1": "conv_pw_1_relu",
            "level_2": "conv_pw_3_relu",
            "level_3": "conv_pw_5_relu",
            "level_4": "conv_pw_11_relu",
            "level_5": "conv_pw_13_relu",
        },
        options={"alpha": 1.0},
    ),
    "mobilenet_v2": Network(
        "MobileNetV2",
        "tf",
        {
            "level_1": "block_1_expand_relu",
            "level_2": "block_3_expand_relu",
            "level_3": "block_6_expand_relu",
            "level_4": "block_13_expand_relu",
            "level_5": "out_relu",
        },
    ),
    **{f"efficientnet_b{n}": _efficientnet(f"EfficientNetB{n}") for n in range(8)},
    "convnext_tiny": Network(
        "ConvNeXtTiny",
        "torch",
        # Sums written with `+` have no own name: the builder numbers them.
        {
            "level_2": "convnext_tiny_add_3",
            "level_3": "convnext_tiny_add_6",
            "level_4": "convnext_tiny_add_15",
            "level_5": "convnext_tiny_layer_normalization_1",
        },
        arguments={"include_preprocessing": False},
    ),
}

MOBILENET_WIDTHS = (0.25, 0.5, 0.75, 1.0)
