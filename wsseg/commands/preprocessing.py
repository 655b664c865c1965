"""Preprocessing of a model's input, by the name of a keras.applications family or mode, or by means and deviations."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras.applications import imagenet_utils

from wsseg.errors import InputError, nearest

MODES = ("none", "unit", "tf", "torch", "caffe")
"""Kinds of preprocessing: none, to [0, 1], to [-1, 1], by ImageNet's means and deviations, and BGR less its means."""

FAMILIES = {
    "convnext": "none",
    "densenet": "torch",
    "efficientnet": "none",
    "efficientnet_v2": "none",
    "inception_resnet_v2": "tf",
    "inception_v3": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "mobilenet_v3": "none",
    "nasnet": "tf",
    "resnet": "caffe",
    "resnet_v2": "tf",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "xception": "tf",
}
"""Module of `keras.applications` -> mode of its `preprocess_input`. Where it is none, the network has it inside."""

TORCH_MEAN, TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Means of ImageNet, as in `keras.applications.imagenet_utils`; the last ones are of blue, green and red."""


@dataclass(frozen=True)
class Preprocessing:
    """A function from images to a model's input.

    Attributes:
        function: Maps `(B, H, W, C)` float32, in [0, 255] for a picture, to the model's input.
        changes: Whether it changes anything.
        takes_bytes: Whether it is meant for values in [0, 255].
        remark: What the user should know, or an empty text.
    """

    function: Callable[[np.ndarray], np.ndarray]
    changes: bool = False
    takes_bytes: bool = False
    remark: str = ""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Preprocess a batch, which does not change."""
        return self.function(images)


def preprocessing(
    name: str | None,
    channels: int = 3,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scaled: bool = False,
) -> Preprocessing:
    """Return a preprocessing.

    Args:
        name: A name in `MODES`, or a family or network of `keras.applications` in any spelling, such as `densenet`,
            `DenseNet121` or `resnet50`. None for none.
        channels: Number of the model's channels.
        mean: Means that are subtracted, one or one per channel; instead of a name.
        std: Deviations that are divided by, one or one per channel.
        scaled: Whether the user has stated what the values are multiplied by before.

    Raises:
        InputError: There is no such name; it is meant for another number of channels; both a name and means are given;
            the numbers of channels differ; or the means are of values in [0, 1] and the values are not scaled.
    """
    if mean is not None or std is not None:
        if name is not None:
            raise InputError(f"--preprocess {name} has its own means; remove it, or --mean and --std")
        return _standardised(mean, std, channels, scaled)
    mode = mode_of(name or "none")
    if mode == "none":
        return Preprocessing(lambda images: images)
    if mode == "unit":
        return Preprocessing(lambda images: images / 255.0, True, True)
    if mode == "tf":
        return Preprocessing(lambda images: images / 127.5 - 1.0, True, True)
    if channels == 3:

        def preprocess(images: np.ndarray) -> np.ndarray:
            return imagenet_utils.preprocess_input(np.array(images, np.float32), "channels_last", mode)

        return Preprocessing(preprocess, True, True)
    if channels != 1:
        raise InputError(
            f"--preprocess {name} has means of red, green and blue, and the model takes {channels} channels; give "
            f"--mean and --std with {channels} numbers"
        )
    scale = 255 if mode == "torch" else 1
    means, stds = (TORCH_MEAN, TORCH_STD) if mode == "torch" else (CAFFE_MEAN, (1,))
    mean_of_all, std_of_all = float(np.mean(means)), float(np.mean(stds))
    words = f"{mean_of_all:.4g}" + (f" and {std_of_all:.4g}" if mode == "torch" else "")
    remark = (
        f"--preprocess {name} has means of red, green and blue, and the model takes one channel: their average is used "
        f"({words}); state --mean and --std if it was trained with others"
    )
    return Preprocessing(lambda images: (images / scale - mean_of_all) / std_of_all, True, True, remark)


def mode_of(name: str) -> str:
    """Return the mode of a name: one of `MODES`.

    Raises:
        InputError: There is no such name.

    Example:
        >>> [mode_of(name) for name in ("unit", "DenseNet121", "resnet50", "resnet50_v2", "mobilenet_v2")]
        ['unit', 'torch', 'caffe', 'tf', 'tf']
    """
    if name.lower() in MODES:
        return name.lower()
    families = _families()
    if _plain(name) not in families:
        names = [*MODES, *FAMILIES, "resnet50", "densenet121"]
        raise InputError(f"unknown preprocessing `{name}`; {nearest(name, names)}")
    return FAMILIES[families[_plain(name)]]


@cache
def _families() -> dict[str, str]:
    """Return the family of each network and family of `keras.applications`, in plain spelling."""
    found = {_plain(family): family for family in FAMILIES}
    for family in FAMILIES:
        module = getattr(keras.applications, family)
        found |= {_plain(network): family for network in dir(module) if network[0].isupper()}
    for network in dir(keras.applications):
        if (
            network[0].isupper() and _plain(network) not in found
        ):  # not exported by its module, as MobileNetV3Small
            begins = [family for family in FAMILIES if _plain(network).startswith(_plain(family))]
            found |= {_plain(network): max(begins, key=len)} if begins else {}
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _standardised(
    mean: Sequence[float] | None, std: Sequence[float] | None, channels: int, scaled: bool
) -> Preprocessing:
    mean, std = tuple(mean or (0.0,)), tuple(std or (1.0,))
    for option, values in (("--mean", mean), ("--std", std)):
        if len(values) not in (1, channels):
            raise InputError(
                f"{option} has {len(values)} numbers, and the model takes {channels} channels; give 1 or {channels}"
            )
    if min(std) <= 0:
        raise InputError(f"--std must be positive; got {', '.join(f'{x:g}' for x in std)}")
    if not scaled and max(map(abs, mean)) <= 1 and max(std) <= 1:
        raise InputError(
            f"--mean and --std are of values in [0, 1] ({mean[0]:g}, {std[0]:g}), and pictures have values in [0, "
            "255]; add --scale 1/255, or --scale 1 if the values are meant so"
        )
    means, stds = np.array(mean, np.float32), np.array(std, np.float32)
    return Preprocessing(lambda images: ((images - means) / stds).astype(np.float32), True)
