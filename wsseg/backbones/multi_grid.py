"""Multi-grid: different atrous rates within the last block of a ResNet."""

from collections.abc import Sequence
from typing import Any

from wsseg.errors import InputError, is_whole

UNITS = {
    "resnet50": "conv5_block{}_2_conv",
    "resnet101": "conv5_block{}_2_conv",
    "resnet50_torch": "layer4_{}_conv2",
    "resnet101_torch": "layer4_{}_conv2",
}
"""Backbone -> name of the 3x3 convolution in the units of its last block."""

FIRST = {"conv5_block{}_2_conv": 1, "layer4_{}_conv2": 0}  # number of the first unit


def has_multi_grid(backbone: str) -> bool:
    """Say whether the last block of a backbone has three units whose rates can differ."""
    return backbone in UNITS


def check_multi_grid(multi_grid: Sequence[int], backbone: str) -> None:
    """Fail if a multi-grid isn't three positive integers, or if the backbone does not have three units.

    Args:
        multi_grid: A factor for each unit.
        backbone: Name of the backbone.

    Raises:
        InputError: The multi-grid is not valid, or the backbone has no such units.
    """
    if not has_multi_grid(backbone):
        raise InputError(
            f"`multi_grid` is for the three units of a ResNet's last block; backbone `{backbone}` has none; "
            f"remove it, or use one of: {', '.join(UNITS)}"
        )
    if len(multi_grid) != 3 or not all(is_whole(factor, 1) for factor in multi_grid):
        raise InputError(
            f"`multi_grid` must be three positive integers; got {tuple(multi_grid)}; try (1, 2, 4)"
        )


def multiply_rates(config: dict[str, Any], multi_grid: Sequence[int], backbone: str) -> None:
    """Multiply the atrous rates of the last block's 3x3 convolutions, in the config of a ResNet.

    Sizes and weights do not change, nor do the places where the cells look: the padding is "same", or the explicit
    zeros grow with the window.

    At output stride 16, the paper's (1, 2, 4) gives the rates 2, 4, 8. Torchvision's ResNet has the block's stride in
    the first unit's 3x3 convolution. This convolution keeps rate 1 when its stride is removed, so there the rates are
    1, 4, 8.

    Args:
        config: Config of a network whose output stride has been rewritten; changed in place.
        multi_grid: Factors of the rates of the three units, checked by `check_multi_grid`.
        backbone: Name of the network.

    Raises:
        InputError: A factor is for a convolution that still has a stride (Keras does not support both).

    Example:
        >>> config = {"padding": "same", "strides": (1, 1), "dilation_rate": (2, 2)}
        >>> network = {"layers": [{"name": "conv5_block2_2_conv", "config": config}]}
        >>> multiply_rates(network, (1, 2, 4), "resnet50")
        >>> config["dilation_rate"]
        (4, 4)

    References:
        Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation, 2017, section 3.2.1.
    """
    pattern = UNITS[backbone]
    factors = {pattern.format(FIRST[pattern] + unit): factor for unit, factor in enumerate(multi_grid)}
    entries = {entry["name"]: entry["config"] for entry in config["layers"]}
    for name in factors.keys() & entries.keys():
        convolution, factor = entries[name], factors[name]
        if factor > 1 and max(convolution["strides"]) > 1:
            raise InputError(
                f"`multi_grid` must begin with 1 for backbone `{backbone}` at output stride 32, where that "
                f"convolution has a stride; got {tuple(multi_grid)}; try (1, 2, 4), or output stride 16"
            )
        rates = convolution["dilation_rate"]
        convolution["dilation_rate"] = tuple(rate * factor for rate in rates)
        if convolution["padding"] != "same":
            # A 3x3 window grows by its rate at each side.
            zeros = entries[f"{name}_pad"]
            zeros["padding"] = tuple(
                tuple(side + (factor - 1) * rate for side in sides)
                for sides, rate in zip(zeros["padding"], rates)
            )
