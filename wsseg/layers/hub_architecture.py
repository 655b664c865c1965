"""The architectures of keras-hub's vision transformers; each can be written as one line of text and built from it."""

import ast
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import keras

from wsseg.errors import InputError, nearest
from wsseg.layers.image_preprocessing import TORCH_MEAN_RGB, TORCH_STD_RGB

# Image statistics of OpenAI's CLIP, quoted from memory.
CLIP_MEAN_RGB = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD_RGB = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Family:
    """The encoder class and the preprocessing of one family of networks in keras-hub.

    Attributes:
        encoder: Name of the class in `keras_hub.models`.
        mean: Mean of the training images per channel, RGB in [0, 1].
        deviation: Standard deviation of the training images per channel, RGB in [0, 1].
    """

    encoder: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def scale(self) -> tuple[float, ...]:
        """Factor for each channel of an image in [0, 255]."""
        return tuple(1 / (255 * deviation) for deviation in self.deviation)

    @property
    def offset(self) -> tuple[float, ...]:
        """Number that is added to each channel after the multiplication by `scale`."""
        return tuple(-mean / deviation for mean, deviation in zip(self.mean, self.deviation))


FAMILIES = {
    "dinov2": Family("DINOV2Backbone", TORCH_MEAN_RGB, TORCH_STD_RGB),
    "dinov3": Family("DINOV3Backbone", TORCH_MEAN_RGB, TORCH_STD_RGB),
    "clip": Family("CLIPVisionEncoder", CLIP_MEAN_RGB, CLIP_STD_RGB),
    "siglip": Family("SigLIPVisionEncoder", (0.5,) * 3, (0.5,) * 3),
}

NEEDED = ("patch_size", "num_layers", "hidden_dim", "num_heads", "intermediate_dim")
NOT_BUILT = ("name", "trainable", "dtype")


def keras_hub_for(what: str) -> ModuleType:
    """Import keras-hub.

    Args:
        what: Name of the thing that needs it, for the message.

    Raises:
        InputError: keras-hub is not installed.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise InputError(
            f"{what} needs keras-hub, which is not installed ({error}); try `pip install wsseg[hub]`"
        ) from error
    return keras_hub


@dataclass(frozen=True)
class Architecture:
    """A vision transformer without its weights.

    Attributes:
        family: A key of `FAMILIES`.
        arguments: Arguments of its class in keras-hub, sorted by name.
        scale: Scale of the preprocessing, one number per channel: `pixel * scale + offset`, for pixels in [0, 255].
        offset: Offset of the preprocessing, one number per channel.

    Example:
        >>> text = "clip(hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1, patch_size=16)"
        >>> made = Architecture.parse(text)
        >>> made.family, made.patch, str(made) == text
        ('clip', 16, True)
    """

    family: str
    arguments: tuple[tuple[str, Any], ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> "Architecture":
        """Read `family(argument=value, ...)`: the arguments of keras-hub's class and of the preprocessing.

        Raises:
            InputError: The text has another form, the family is unknown, or a required argument is missing.
        """
        form = (
            f"`hub:{text}`: expected a preset's name, its folder, or a text like dinov2(patch_size=14, ...)"
        )
        try:
            call = ast.parse(text.strip(), mode="eval").body
            family = call.func.id
            arguments = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
            if call.args or None in arguments:
                raise ValueError("arguments without names")
        except (SyntaxError, ValueError, AttributeError) as error:
            raise InputError(f"{form}; got {error}") from error
        if family not in FAMILIES:
            raise InputError(f"`hub:{text}`: unknown family `{family}`; {nearest(family, FAMILIES)}")
        missing = [name for name in NEEDED if name not in arguments]
        if missing:
            raise InputError(f"`hub:{text}` lacks {', '.join(missing)}")
        scale = arguments.pop("scale", FAMILIES[family].scale)
        offset = arguments.pop("offset", FAMILIES[family].offset)
        return cls(family, _sorted(arguments), tuple(scale), tuple(offset))

    @classmethod
    def of(cls, encoder: keras.Model, scale: Any = None, offset: Any = None) -> "Architecture":
        """Return the architecture of a network of keras-hub.

        Args:
            encoder: The network. Of an image and text network, the image encoder is taken.
            scale: Scale of the preprocessing: one number, or one per channel; None for the family's.
            offset: Offset of the preprocessing: one number, or one per channel; None for the family's.

        Raises:
            InputError: The class of the network belongs to no known family.
        """
        encoder = image_encoder(encoder)
        kind = type(encoder).__name__
        family = next((name for name, known in FAMILIES.items() if known.encoder == kind), None)
        if family is None:
            raise InputError(
                f"a {kind} of keras-hub can't serve as a backbone; those of the families {', '.join(FAMILIES)} can"
            )
        config = {name: value for name, value in encoder.get_config().items() if name not in NOT_BUILT}
        known = FAMILIES[family]
        return cls(
            family,
            _sorted(config),
            known.scale if scale is None else _three(scale),
            known.offset if offset is None else _three(offset),
        )

    @property
    def patch(self) -> int:
        """Side of a patch, pixels."""
        return dict(self.arguments)["patch_size"]

    @property
    def channels(self) -> int:
        """Number of channels of the features."""
        return dict(self.arguments)["hidden_dim"]

    def __str__(self) -> str:
        arguments = dict(self.arguments)
        known = FAMILIES[self.family]
        if (self.scale, self.offset) != (known.scale, known.offset):
            arguments |= {"scale": self.scale, "offset": self.offset}
        return f"{self.family}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"

    def build(self, dtype: Any = None) -> keras.Model:
        """Build the network with random weights.

        Raises:
            InputError: keras-hub is not installed, or it refuses the arguments.
        """
        hub = keras_hub_for(f"backbone `hub:{self.family}`")
        try:
            return getattr(hub.models, FAMILIES[self.family].encoder)(**dict(self.arguments), dtype=dtype)
        except (TypeError, ValueError) as error:
            raise InputError(f"`hub:{self}`: keras-hub refuses these arguments: {error}") from error


def image_encoder(network: keras.Model) -> keras.Model:
    """Return the image encoder of an image and text network (CLIP, SigLIP); return other networks unchanged."""
    return getattr(network, "vision_encoder", network)


def _sorted(arguments: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in sorted(arguments.items())
    )


def _three(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, list | tuple) else (float(value),) * 3
