"""Vision transformers of keras-hub (DINOv2, DINOv3, CLIP, SigLIP) as backbones: `hub:PRESET_OR_FOLDER`.

They are an extra (`pip install wsseg[hub]`). A name is one of

- `hub:dinov2_small`: a preset of keras-hub, which downloads its configuration and, if asked for, its weights;
- `hub:FOLDER`: a preset's folder, as `save_to_preset` writes it; also `hub:hf://...` and `hub:kaggle://...`;
- `hub:dinov2(patch_size=14, num_layers=2, ...)`: an architecture with keras-hub's own arguments, which has no
  pretrained weights. It is also the `full_name` of every network made here, so that one that was trained and saved is
  loaded without its preset.
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
"""All the same features, as those of `plain`: a vision transformer has one stride."""

FEATURES = "hub_features"  # name of the layer
PRESET = "preset"
"""The value of `weights` that stands for the preset's own."""


class Levels(dict):
    """The levels of a backbone; says what to do about one that is not there."""

    def __missing__(self, level: str) -> None:
        raise InputError(
            f"a network of keras-hub has one stride, and no `{level}`; use a head or segmenter that reads its last "
            "level only (deeplab_v3, pspnet, propagate.method: psa), or another backbone"
        )


class HubBackbone(keras.Model):
    """A frozen vision transformer as a backbone.

    Attributes:
        full_name: Its architecture as a name that `wsseg.backbones.create` takes.
        sizes: The image sizes that it takes.
    """

    @property
    def output(self) -> Levels:
        """Its levels."""
        return Levels(super().output)


def is_hub(name: str) -> bool:
    """Say whether a backbone's name is one of keras-hub."""
    return isinstance(name, str) and name.startswith(PREFIX)


def create(
    name: str,
    output_stride: int | None = None,
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> HubBackbone:
    """Build a vision transformer, frozen: set `trainable` of its layer `hub_features` to learn it.

    Args:
        name: `hub:...`, as above.
        output_stride: Pixels from cell to cell: None for the patch's side. With another one the image is resized so
            that a patch covers as many pixels of it: a network of patch 14 has output stride 16, or 8, from the same
            weights.
        weights: None for random ones; "preset" for those of the preset that `name` names; or a preset or folder whose
            network is of this architecture.
        input_size: `(H, W)` in pixels, multiples of the output stride, or None for any such.
        options: None are taken.

    Returns:
        A Functional model `(B, H, W, 3)` RGB in [0, 255] -> `level_3`, `level_4` and `level_5`, the same
        `(B, H / output_stride, W / output_stride, C)`: the last block's normalised patch tokens.

    Raises:
        InputError: keras-hub is missing; an unknown preset, or one that can't be had; weights of another network; an
            illegal size.
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
    """Return the stride of each level, as `wsseg.backbones.level_strides`."""
    made = architecture(name)
    return dict.fromkeys(LEVELS, made.patch if output_stride is None else output_stride)


def architecture(name: str) -> Architecture:
    """Return the architecture that a name stands for; a preset's configuration is read, or downloaded.

    Args:
        name: With the prefix or without.

    Raises:
        InputError: keras-hub is missing, or there is no such architecture or preset.
    """
    text = name.removeprefix(PREFIX)
    keras_hub_for(f"backbone `{PREFIX}{text}`")
    return Architecture.parse(text) if is_text(text) else _of_preset(text)


def is_text(text: str) -> bool:
    """Say whether a name has the form `family(...)`; a folder that does is given as `./folder(1)`."""
    return re.fullmatch(r"\w+\(.*\)?", text, re.DOTALL) is not None


@lru_cache(maxsize=8)
def _of_preset(preset: str) -> Architecture:
    network = load_preset(preset, weights=False)
    converter = _converter(preset)
    return Architecture.of(network, getattr(converter, "scale", None), getattr(converter, "offset", None))


def load_preset(preset: str, weights: bool = True) -> keras.Model:
    """Load a network of keras-hub; a preset that is not cached yet is downloaded.

    Args:
        preset: A preset's name, its folder, or a handle such as `hf://...`.
        weights: Whether with its weights.

    Returns:
        A `keras_hub.models.Backbone`: of CLIP and SigLIP, images and text.

    Raises:
        InputError: keras-hub is missing, no preset or folder has that name, or it can't be loaded.
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
            f"`{PREFIX}{preset}` can't be loaded: {error}; give the folder of a preset that is on this machine instead"
        ) from error


def _converter(preset: str) -> Any:
    """Return the preset's preprocessing, or None where it has none of its own."""
    if Path(preset).is_dir() and not (Path(preset) / "image_converter.json").is_file():
        return None
    hub = keras_hub_for(f"`{PREFIX}{preset}`")
    try:
        return hub.layers.ImageConverter.from_preset(preset)
    except (FileNotFoundError, ValueError):  # keras-hub's, of a preset without one
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
        raise InputError(f"`weights` {weights} are of `hub:{found}`, and the backbone is `hub:{made}`")
    layer.encoder.set_weights(image_encoder(source).get_weights())
