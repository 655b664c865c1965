"""VGG-16's dense layers as the convolutions fc6 and fc7, with their ImageNet weights.

A dense layer on a 7 x 7 x 512 map is a 7 x 7 convolution of it (Long et al., CVPR 2015, section 3.1). Keras
flattens in the order row, column, channel, so the dense kernel `(25088, 4096)` and the convolution kernel
`(7, 7, 512, 4096)` have the same order in memory.

A smaller fc6 or fc7 is decimated from them: taps spread evenly over the 7 (3 taps: 0, 3, 6) and every
(4096 / channels)-th channel, unscaled. Chen et al., ICLR 2015, section 3.1, use "simple decimation", but do not say
which taps. The taps here are 3 cells of stride 32 apart: 96 pixels, the same as LargeFOV's rate 12 at stride 8.
"""

from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
from keras import layers

from wsseg.backbones.weights import opened_weights, weights_path
from wsseg.errors import InputError

SIDE = 7  # side of the map of a 224-pixel image, the input of `fc1`
SHAPES = {"fc1": (SIDE * SIDE * 512, 4096), "fc2": (4096, 4096)}
KERAS_3 = {"fc1": "layers/dense/vars", "fc2": "layers/dense_1/vars"}  # Keras 3 numbers layers by class


class Affine(NamedTuple):
    """Weights of a layer: the kernel (inputs first, units last) and the bias `(units,)`."""

    kernel: np.ndarray
    bias: np.ndarray


def fc6_fc7(
    features: keras.KerasTensor,
    channels: int,
    weights: str | Path | None = None,
    kernel: int = SIDE,
    rate: int = 1,
    padding: str = "valid",
) -> keras.KerasTensor:
    """Add the convolutions `fc6` and `fc7`, each with ReLU and dropout 0.5, to VGG-16's `pool5`.

    Args:
        features: `(B, h, w, 512)`.
        channels: Channels of both convolutions; 4096 in VGG.
        weights: None; "imagenet"; or a weights file of `keras.applications.VGG16`. A file without the top has no
            dense layers; fc6 and fc7 then get random weights, as with None.
        kernel: Side of fc6's window.
        rate: Atrous rate of fc6.
        padding: Padding of fc6, "valid" or "same".

    Returns:
        `(B, h', w', channels)`.

    Raises:
        InputError: The file's dense layers have other shapes, or fewer units than `channels`.
    """
    dense = read_dense(weights)
    initial = "he_normal" if dense is None else "zeros"
    fc6 = layers.Conv2D(
        channels,
        kernel,
        padding=padding,
        dilation_rate=rate,
        activation="relu",
        kernel_initializer=initial,
        name="fc6",
    )
    fc7 = layers.Conv2D(channels, 1, activation="relu", kernel_initializer=initial, name="fc7")
    x = layers.Dropout(0.5, name="drop6")(fc6(features))
    x = layers.Dropout(0.5, name="drop7")(fc7(x))
    if dense is not None:
        for layer, weights_of in zip((fc6, fc7), as_convolutions(*dense, kernel, channels)):
            layer.set_weights(weights_of)
    return x


def as_convolutions(
    fc1: Affine, fc2: Affine, kernel: int, channels: int, side: int = SIDE
) -> tuple[Affine, Affine]:
    """Turn two dense layers into convolutions, decimated if the convolutions are smaller.

    Args:
        fc1: Kernel `(side * side * C, N)`.
        fc2: Kernel `(N, N)`.
        kernel: Side of the first convolution's window.
        channels: Channels of both convolutions.
        side: Side of the map that `fc1` flattens.

    Returns:
        Kernels `(kernel, kernel, C, channels)` and `(1, 1, channels, channels)`, with their biases.

    Raises:
        InputError: `channels` is larger than the number of units of the dense layers.
    """
    units = len(fc1.bias)
    if channels > units:
        raise InputError(
            f"`channels` can be at most {units} with pretrained dense layers; got {channels}; "
            f"try {units}, or `weights` without the dense layers"
        )
    taps = np.linspace(0, side - 1, kernel).round().astype(int)
    kept = np.arange(channels) * units // channels
    spatial = fc1.kernel.reshape(side, side, -1, units)[np.ix_(taps, taps)][..., kept]
    pointwise = fc2.kernel[np.ix_(kept, kept)][None, None]
    return Affine(spatial, fc1.bias[kept]), Affine(pointwise, fc2.bias[kept])


def read_dense(weights: str | Path | None) -> tuple[Affine, Affine] | None:
    """Read only the first two dense layers of VGG-16.

    Args:
        weights: None; "imagenet" (Keras downloads and caches them, 528 MB); or a weights file of
            `keras.applications.VGG16`: Keras 3's `*.weights.h5`, or the HDF5 of Keras 2.

    Returns:
        `fc1` with kernel `(25088, 4096)` and `fc2` with kernel `(4096, 4096)`; None if there are no dense layers.

    Raises:
        InputError: The file is missing, its dense layers have other shapes, or the download failed.
    """
    if weights is None:
        return None
    if weights == "imagenet":
        try:
            network = keras.applications.VGG16(weights="imagenet")
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise InputError(
                f"`weights` \"imagenet\" of VGG-16's dense layers can't be downloaded: {error}; "
                "give the path of a weights file instead"
            ) from error
        return tuple(Affine(*network.get_layer(name).get_weights()) for name in SHAPES)
    path = weights_path(weights)
    with opened_weights(path) as file:
        found = {name: _arrays(file, name) for name in SHAPES}
        if not found["fc1"]:
            return None
        for name, shape in SHAPES.items():
            for array, expected in zip(found[name] or (None, None), (shape, shape[1:])):
                _check(array, name, expected, path)
        return tuple(Affine(*(array[()] for array in found[name])) for name in SHAPES)


def holds_legacy_dense(weights: str | Path | None) -> bool:
    """Say whether `weights` is a Keras 2 file of VGG-16 with its top, such as Keras' own download."""
    if weights is None or weights == "imagenet":
        return False
    with opened_weights(weights_path(weights)) as file:
        return "fc1" in _legacy(file)


def load_legacy_convolutions(network: keras.Model, path: str | Path) -> None:
    """Load the convolutions of a Keras 2 file with the top; Keras can load such a file only into whole networks.

    Args:
        network: The backbone `vgg16`, changed in place.
        path: The weights file.

    Raises:
        InputError: A layer is missing or has another shape; the message names the first such layer.
    """
    with opened_weights(path) as file:
        for layer in network.layers:
            if not layer.weights:
                continue
            arrays = _legacy_arrays(file, layer.name)
            for array, weight in zip(arrays or (None, None), layer.weights):
                _check(array, layer.name, tuple(weight.shape), Path(path))
            layer.set_weights([array[()] for array in arrays])


def _arrays(file: h5py.File, name: str) -> list[h5py.Dataset]:
    """Return kernel and bias of a dense layer as unread data sets; an empty list if the file has no such layer."""
    if KERAS_3[name] in file:
        return [file[KERAS_3[name]][key] for key in ("0", "1")]
    return _legacy_arrays(file, name)


def _legacy(file: h5py.File) -> h5py.Group:
    return file.get("model_weights", file)  # whole models keep their weights one level down


def _legacy_arrays(file: h5py.File, name: str) -> list[h5py.Dataset]:
    if name not in _legacy(file):
        return []
    arrays: list[h5py.Dataset] = []
    _legacy(file)[name].visititems(lambda _, item: arrays.append(item) if hasattr(item, "shape") else None)
    # Names differ from file to file (`kernel:0`, `fc1_W_1:0`); the bias is the vector.
    return sorted(arrays, key=lambda array: -array.ndim)


def _check(array: h5py.Dataset | None, name: str, expected: tuple[int, ...], path: Path) -> None:
    if array is None or array.shape != expected:
        has = f"no `{name}`" if array is None else f"`{array.name.lstrip('/')}` of shape {array.shape}"
        raise InputError(
            f"weights file {path} isn't one of VGG-16: it has {has}, expected shape {expected}; "
            "give a file made from keras.applications.VGG16"
        )
