"""Build a backbone by name."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from wsseg.backbones import hub, plain
from wsseg.backbones.multi_grid import check_multi_grid, multiply_rates
from wsseg.backbones.output_stride import copy_weights, rewritten_config
from wsseg.backbones.shapes_only import shapes_only
from wsseg.backbones.table import MOBILENET_WIDTHS, NETWORKS, Network
from wsseg.backbones.weights import load_weights, mobilenet_alpha
from wsseg.catalogue import load
from wsseg.errors import InputError, is_whole, nearest
from wsseg.layers.image_preprocessing import ImagePreprocessing
from wsseg.layers.image_statistics import ImageStatistics

NAMES: tuple[str, ...] = ("plain", *NETWORKS, *(f"mobilenet_{width}" for width in MOBILENET_WIDTHS))

OUTPUT_STRIDES = (8, 16, 32)
SMALLEST_SIDE = 32
PREPROCESSING = "image_preprocessing"  # name of the layer


def create(
    name: str,
    output_stride: int | None = None,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    multi_grid: tuple[int, int, int] | None = None,
    **options: Any,
) -> keras.Model:
    """Build a feature network.

    Level n has stride 2^n in the original network. After rewriting, no level has a stride above
    `output_stride`, and the stride of `level_5` equals it (`level_strides`). A side of n pixels gives between
    floor(n / stride) and ceil(n / stride) positions, depending on the network's padding. Every side from 32 pixels
    on is legal, and at multiples of 32 all networks give n / stride positions.

    The dense features contain the original ones: `dense[:, ::r, ::r] == original` for a level that is oversampled
    r times (see `with_output_stride`). In EfficientNet this is not exact, because of its globally pooled gates.

    Two builds with the same arguments have the same layers, names and order of weights. So a network can be rebuilt
    from `(name, output_stride)` with `weights=None`, and its saved weights can then be loaded. `create` accepts the
    `full_name` of the model (`mobilenet_0.75`) as a name.

    Args:
        name: One of `NAMES` (`plain` is a network of wsseg with stride 8 only); also `mobilenet_<width>` for another
            width, and `hub:` with a vision transformer of keras-hub (see the rules of `wsseg.backbones.hub`).
        output_stride: Output stride: 32, 16 or 8; None for 32.
        weights: None for random weights; "imagenet" (Keras downloads and caches them); or the path of a
            weights file of the same network of `keras.applications`, made with or without its top.
        input_size: `(H, W)` in pixels, or None for any size.
        multi_grid: Factors of the atrous rates of the three units of a ResNet's last block (DeepLab v3); None for no
            factors. With factors, the equality with the original features holds only before that block.
        options: `alpha`, the width of `mobilenet`; by default that of the weights file, or 1.

    Returns:
        A Functional model `(B, H, W, 3)` RGB in [0, 255] -> `{"level_1": (B, H / 2, W / 2, C), ...,
        "level_5": ...}` (ConvNeXt has no `level_1`). A MobileNet has the attribute `alpha`.

    Raises:
        InputError: The name or an option is unknown, the stride or size is illegal, or the weights don't fit.

    Example:
        >>> backbone = create("mobilenet_0.25", output_stride=16, input_size=(64, 96))
        >>> {level: tuple(features.shape[1:]) for level, features in sorted(backbone.output.items())}
        {'level_1': (32, 48, 16), 'level_2': (16, 24, 32), 'level_3': (8, 12, 64),
         'level_4': (4, 6, 128), 'level_5': (4, 6, 256)}
    """
    if multi_grid is not None:
        check_multi_grid(multi_grid, name)
    if hub.is_hub(name):
        return hub.create(name, output_stride, weights, input_size, options)
    output_stride = 32 if output_stride is None else output_stride
    if name == "plain":
        return _plain(output_stride, weights, input_size, options)
    network, arguments = _resolve(name, weights, options)
    if output_stride not in OUTPUT_STRIDES:
        raise InputError(f"`output_stride` must be 8, 16 or 32; got {output_stride!r}")
    image = keras.Input(_input_shape(input_size), name="image", dtype="float32")
    preprocessed = ImagePreprocessing(network.preprocessing, name=PREPROCESSING)(image)
    full_name = f"mobilenet_{arguments['alpha']}" if "alpha" in arguments else name

    if weights is None:  # the network built from the config draws the initial weights
        with shapes_only():
            original = _application(network, arguments, weights=None, input_tensor=preprocessed)
    else:
        original = _application(network, arguments, weights=None, input_tensor=preprocessed)
        load_weights(
            original,
            weights,
            full_name,
            lambda: _application(network, arguments, weights="imagenet", input_shape=(224, 224, 3)),
        )

    config = original.get_config()
    names = _name_all(config, full_name)
    config["name"] = full_name
    config["input_layers"] = ["image", 0, 0]
    config["output_layers"] = {level: [layer, 0, 0] for level, layer in network.levels.items()}
    config = rewritten_config(config, output_stride)
    if multi_grid is not None:
        multiply_rates(config, multi_grid, name)
    backbone = keras.Model.from_config(config)
    if weights is not None:
        copy_weights(original, backbone, names)
    if "alpha" in arguments:
        backbone.alpha = arguments["alpha"]
    return backbone


def full_name(network: keras.Model) -> str:
    """Return the name with which `create` builds the backbone again; a model made of a backbone may carry it too."""
    return getattr(network, "full_name", network.name)


def _plain(
    output_stride: int,
    weights: str | Path | None,
    input_size: tuple[int, int] | None,
    options: Mapping[str, Any],
) -> keras.Model:
    """Build wsseg's own network `plain`, which has no pretrained weights."""
    if output_stride != plain.STRIDE:
        raise InputError(f"backbone `plain` has output stride {plain.STRIDE} only; got {output_stride!r}")
    if options:
        raise InputError(f"backbone `plain` has no option `{next(iter(options))}`; it takes none")
    if weights == "imagenet":
        raise InputError("backbone `plain` has no ImageNet weights; use null, or another backbone")
    image = keras.Input(_input_shape(input_size), name="image", dtype="float32")
    preprocessed = ImagePreprocessing("tf", name="image_preprocessing")(image)
    network = keras.Model(image, plain.plain(preprocessed), name="plain")
    load_weights(network, weights, "plain", lambda: network)
    return network


def level_strides(name: str, output_stride: int | None = None) -> dict[str, int]:
    """Return the stride of each level of a backbone.

    Args:
        name: Name of the backbone, as in `create`.
        output_stride: Output stride, as in `create`.

    Returns:
        Level -> pixels between two of its positions.

    Example:
        >>> level_strides("convnext_tiny", 16)
        {'level_2': 4, 'level_3': 8, 'level_4': 16, 'level_5': 16}
    """
    if hub.is_hub(name):
        return hub.level_strides(name, output_stride)
    output_stride = 32 if output_stride is None else output_stride
    if name == "plain":
        return {level: min(2 ** int(level.removeprefix("level_")), plain.STRIDE) for level in plain.LEVELS}
    network, _ = _resolve(name, None, {})
    return {level: min(2 ** int(level.removeprefix("level_")), output_stride) for level in network.levels}


def _resolve(
    name: str, weights: str | Path | None, options: Mapping[str, Any]
) -> tuple[Network, dict[str, Any]]:
    """Return the network and the options for its application, defaults included."""
    width = re.fullmatch(r"mobilenet_(\d+(?:\.\d+)?)", name)
    network = NETWORKS.get("mobilenet" if width else name)
    if network is None:
        raise InputError(f"unknown backbone `{name}`; {nearest(name, NAMES)}")
    for option in options:
        if option not in network.options:
            takes = nearest(option, network.options) if network.options else "it takes none"
            raise InputError(f"backbone `{name}` has no option `{option}`; {takes}")
    arguments = {**network.options, **options}
    if "alpha" in network.options:
        alpha = options.get("alpha")
        if width and alpha is not None and alpha != float(width[1]):
            raise InputError(f"`alpha` is {alpha}, but the backbone is `{name}`; remove `alpha`")
        wanted = float(width[1]) if width else alpha
        arguments["alpha"] = mobilenet_alpha(wanted, weights)
    return network, arguments


def _input_shape(input_size: tuple[int, int] | None) -> tuple[int | None, int | None, int]:
    if input_size is None:
        return (None, None, 3)
    size_hw = tuple(input_size) if isinstance(input_size, tuple | list) else ()
    if len(size_hw) != 2 or not all(is_whole(n, SMALLEST_SIDE) for n in size_hw):
        raise InputError(
            f"`input_size` must be (height, width) of at least {SMALLEST_SIDE} pixels, or None for any size; "
            f"got {input_size!r}; try (320, 320)"
        )
    return (*size_hw, 3)


def _application(network: Network, arguments: Mapping[str, Any], **more: Any) -> keras.Model:
    if ":" in network.application:
        application = load({"": network.application}, "", "backbone")
    else:
        application = getattr(keras.applications, network.application)
    with warnings.catch_warnings():
        # MobileNet warns that it has weights for some square sizes only; the weights for size 224 are wanted.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
        return application(include_top=False, **network.arguments, **arguments, **more)


def _name_all(config: dict[str, Any], prefix: str) -> dict[str, str]:
    """Replace layer names that Keras numbers over the whole process (`add_17`) by `<prefix>_add_1`, in place.

    It also replaces Keras' `Normalization` by `ImageStatistics`, since `set_weights` would not change the constants of
    `Normalization`. Both this layer and `Rescaling` get float32, since float16 is too coarse for raw images.

    Returns:
        Old layer name -> new layer name.
    """
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for entry in config["layers"]:
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", entry["class_name"]).lower()
        if entry["name"] != PREPROCESSING and re.fullmatch(rf"{kind}(_\d+)?", entry["name"]):
            counts[kind] = counts.get(kind, 0) + 1
            names[entry["name"]] = f"{prefix}_{kind}_{counts[kind]}"
        for inner in entry["config"].get("layers", []):
            if inner["class_name"] == "InputLayer":
                inner["config"]["name"] = f"{entry['name']}_input"
        if entry["class_name"] in ("Rescaling", "Normalization"):
            entry["config"]["dtype"] = "float32"
        if entry["class_name"] == "Normalization":
            statistics = ImageStatistics(name=entry["config"]["name"], dtype="float32")
            entry.update(keras.saving.serialize_keras_object(statistics))

    def rename(part: Any) -> None:
        if isinstance(part, dict):
            history = part.get("keras_history")
            if history:
                history[0] = names.get(history[0], history[0])
            if part.get("name") in names:
                part["name"] = names[part["name"]]
            for value in part.values():
                rename(value)
        elif isinstance(part, list | tuple):
            for value in part:
                rename(value)

    rename(config["layers"])
    return names
