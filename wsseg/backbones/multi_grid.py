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
"""Of the backbones that have them, the name of the 3x3 convolution of the last block's units."""

FIRST = {"conv5_block{}_2_conv": 1, "layer4_{}_conv2": 0}  # number of the first unit


def has_multi_grid(backbone: str) -> bool:
    """Say whether a backbone's last block has three units whose rates may differ."""
    return backbone in UNITS


def check_multi_grid(multi_grid: Sequence[int], backbone: str) -> None:
    """Fail where a multi-grid isn't three positive integers, or the backbone has no three units.

    Args:
        multi_grid: A factor for each unit.
        backbone: Its name.

    Raises:
        InputError: As said.
    """
    if not has_multi_grid(backbone):
        raise InputError(
            f"`multi_grid` is for the three units of a ResNet's last block; backbone `{backbone}` has none; "
            f"leave it out, or take one of: {', '.join(UNITS)}"
        )
    if len(multi_grid) != 3 or not all(is_whole(factor, 1) for factor in multi_grid):
        raise InputError(
            f"`multi_grid` must be three positive integers; got {tuple(multi_grid)}; try (1, 2, 4)"
        )


def multiply_rates(config: dict[str, Any], multi_grid: Sequence[int], backbone: str) -> None:
    """Multiply the atrous rates of the last block's 3x3 convolutions, in a ResNet's config.

    Sizes, weights, and the places where cells look, stay: the padding is "same", or the explicit zeros grow
    with the window.

    At output stride 16 the paper's (1, 2, 4) makes 2, 4, 8 of the rates. Torchvision's ResNet has the block's
    stride in the first unit's 3x3 convolution, which therefore keeps rate 1 where the stride is taken away:
    there the rates are 1, 4, 8.

    Args:
        config: Of a network whose output stride has been rewritten; changed in place.
        multi_grid: Factors of the rates of the three units, passed by `check_multi_grid`.
        backbone: Name of the network.

    Raises:
        InputError: A factor for a convolution that still has a stride (Keras knows none with both).

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
