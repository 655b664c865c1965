"""Vision transformers of keras-hub (DINOv2, DINOv3, CLIP, SigLIP) as backbones: `hub:PRESET_OR_FOLDER`.

They are an extra (`pip install wsseg[hub]`). A name is one of

- `hub:dinov2_small`: a preset of keras-hub, which downloads its configuration and, if wanted, its weights;
- `hub:FOLDER`: the folder of a preset, written by `save_to_preset`; also `hub:hf://...` and `hub:kaggle://...`;
- `hub:dinov2(patch_size=14, num_layers=2, ...)`: an architecture with keras-hub's own arguments, without pretrained
  weights. The `full_name` of every network built here has this form, so a trained and saved network can be loaded
  without its preset.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras

from wsseg.errors import InputError, nearest
from wsseg.layers.channel_rescaling import ChannelRescaling
from wsseg.layers.hub_architecture import FAMILIES, Architecture, image_encoder, keras_hub_for
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.patch_features import PatchFeatures

PREFIX = "hub:"
LEVELS = ("level_3", "level_4", "level_5")
"""All levels are the same features, since a vision transformer has one stride."""

FEATURES = "hub_features"  # name of the layer
PRESET = "preset"
"""The value of `weights` that stands for the weights of the preset."""


class Levels(dict):
    """The levels of a backbone; the error for a missing level says what to do."""

    def __missing__(self, level: str) -> None:
        raise InputError(
            f"a network of keras-hub has one stride, and no `{level}`; use a head or segmenter that reads its last "
            "level only (deeplab_v3, pspnet, propagate.method: psa), or another backbone"
        )


class HubBackbone(keras.Model):
    """A frozen vision transformer as a backbone.

    Attributes:
        full_name: Its architecture, as a name that `wsseg.backbones.create` accepts.
        sizes: The image sizes that it accepts.
    """

    @property
    def output(self) -> Levels:
        """Level -> its features."""
        return Levels(super().output)


def is_hub(name: str) -> bool:
    """Say whether a name stands for a backbone of keras-hub."""
    return isinstance(name, str) and name.startswith(PREFIX)


def create(
    name: str,
    output_stride: int | None = None,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> HubBackbone:
    """Build a vision transformer. It is frozen; set `trainable` of its layer `hub_features` to train it.

    Args:
        name: `hub:...`, see the top of this module.
        output_stride: Pixels between two cells; None for the patch's side. With another stride the image is resized so
            that a patch covers that many pixels of it. So a network with patches of 14 pixels has output stride 16, or
            8, with the same weights.
        weights: None for random weights; "preset" for those of the preset in `name`; or a preset or folder with a
            network of the same architecture.
        input_size: `(H, W)` in pixels, multiples of the output stride; or None for any such size.
        options: Further options; a backbone of keras-hub has none.

    Returns:
        A Functional model `(B, H, W, 3)` RGB in [0, 255] -> `level_3`, `level_4` and `level_5`, all the same features
        `(B, H / output_stride, W / output_stride, C)`: the last block's normalised patch tokens.

    Raises:
        InputError: keras-hub is not installed, the preset is unknown or can't be loaded, the weights are those of
            another network, or the size is illegal.
    """
    if options:
        raise InputError(f"backbone `{name}` has no option `{next(iter(options))}`; it takes none")
    made = architecture(name)
    layer = PatchFeatures(str(made), output_stride, name=FEATURES)
    if input_size is not None:
        layer.sizes.check(tuple(input_size), name)
    _load(layer, made, name, weights)
    image = keras.Input((*(input_size or (None, None)), 3), name="image", dtype="float32")
    preprocessed = ChannelRescaling(made.scale, made.offset, name="image_preprocessing")(image)
    features = layer(preprocessed)
    network = HubBackbone(image, dict.fromkeys(LEVELS, features), name=f"hub_{made.family}")
    network.full_name = f"{PREFIX}{made}"
    network.sizes = LegalSizes(layer.output_stride, smallest=layer.output_stride)
    return network


def level_strides(name: str, output_stride: int | None = None) -> dict[str, int]:
    """Return the stride of each level, as in `wsseg.backbones.level_strides`."""
    made = architecture(name)
    return dict.fromkeys(LEVELS, made.patch if output_stride is None else output_stride)


def architecture(name: str) -> Architecture:
    """Return the architecture for a name; the configuration of a preset is read or downloaded.

    Args:
        name: Name of the backbone, with or without the prefix `hub:`.

    Raises:
        InputError: keras-hub is not installed, or the architecture or preset is unknown.
    """
    text = name.removeprefix(PREFIX)
    keras_hub_for(f"backbone `{PREFIX}{text}`")
    return Architecture.parse(text) if is_text(text) else _of_preset(text)


def is_text(text: str) -> bool:
    """Say whether a name has the form `family(...)`; a folder of that form must be given as `./folder(1)`."""
    return re.fullmatch(r"\w+\(.*\)?", text, re.DOTALL) is not None


@lru_cache(maxsize=8)
def _of_preset(preset: str) -> Architecture:
    network = load_preset(preset, weights=False)
    converter = _converter(preset)
    return Architecture.of(network, getattr(converter, "scale", None), getattr(converter, "offset", None))


def load_preset(preset: str, weights: bool = True) -> keras.Model:
    """Load a network of keras-hub; a preset that is not cached yet is downloaded.

    Args:
        preset: Name of a preset, its folder, or a handle such as `hf://...`.
        weights: Whether its weights are loaded too.

    Returns:
        A `keras_hub.models.Backbone`; for CLIP and SigLIP, the network for images and text.

    Raises:
        InputError: keras-hub is not installed, no preset or folder has that name, or it can't be loaded.
    """
    hub = keras_hub_for(f"`{PREFIX}{preset}`")
    known = hub.models.Backbone.presets
    if preset not in known and "://" not in preset and not Path(preset).is_dir():
        served = [name for name in known if name.startswith(tuple(FAMILIES))]
        raise InputError(
            f"`{PREFIX}{preset}` is neither a preset of keras-hub nor a folder; {nearest(preset, served)}"
        )
    try:
        return hub.models.Backbone.from_preset(preset, load_weights=weights)
    except Exception as error:  # whatever the download, the file or keras-hub raises
        raise InputError(
            f"`{PREFIX}{preset}` can't be loaded: {error}; give the folder of a preset on this machine instead"
        ) from error


def _converter(preset: str) -> Any:
    """Return the preset's preprocessing, or None if it has none."""
    if Path(preset).is_dir() and not (Path(preset) / "image_converter.json").is_file():
        return None
    hub = keras_hub_for(f"`{PREFIX}{preset}`")
    try:
        return hub.layers.ImageConverter.from_preset(preset)
    except (FileNotFoundError, ValueError):  # keras-hub raises these for a preset without one
        return None


def _load(layer: PatchFeatures, made: Architecture, name: str, weights: str | Path | None) -> None:
    if weights is None:
        return
    if str(weights) == PRESET:
        weights = name.removeprefix(PREFIX)
        if is_text(weights):
            raise InputError(
                f'`weights` "{PRESET}": backbone `{name}` names an architecture, not a preset; give the preset\'s '
                "name or folder as `weights`, or None"
            )
    elif str(weights) == "imagenet":
        raise InputError(f'backbone `{name}` has no ImageNet weights; use "{PRESET}" for those of its preset')
    source = load_preset(str(weights))
    found = Architecture.of(source)
    if (found.family, found.arguments) != (made.family, made.arguments):
        raise InputError(f"`weights` {weights} are of `hub:{found}`, but the backbone is `hub:{made}`")
    layer.encoder.set_weights(image_encoder(source).get_weights())
