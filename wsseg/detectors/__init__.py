"""Detectors: find the objects of images as boxes, and optionally a mask in each box."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsseg import catalogue
from wsseg.errors import InputError

if TYPE_CHECKING:
    from wsseg.detectors.rcnn import RCNN

DETECTORS: dict[str, Mapping[str, Any]] = {
    "faster_rcnn": {"mask_channels": None},
    "mask_rcnn": {"pooling": "align"},
}
"""Name -> the fixed arguments of `wsseg.detectors.builder.rcnn` for this variant; they are not options."""


def create(name: str, /, **options: Any) -> "RCNN":
    """Build a detector by name.

    Args:
        name: A key of `DETECTORS`: faster_rcnn or mask_rcnn. It becomes the model's name, unless `options` has a
            `name`. `options` may also have `class_names`, background first, with which the model is saved.
        options: Options of the builder: `num_classes` (background included), `input_size` (`(H, W)`, fixed) and, each
            with a default, `backbone`, `weights` (weights of the backbone: None, "imagenet", or a weights file),
            `use_pyramid` ...; see `wsseg.detectors.builder`. None means the default.

    Returns:
        A `keras.Model`; see `wsseg.detectors.rcnn.RCNN` for its inputs and outputs.

    Raises:
        InputError: There is no detector or option of that name (the message names the nearest), an option without
            default is missing, or the detector does not support a value.

    Example:
        >>> model = create("mask_rcnn", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64), channels=8,
        ...                head_channels=8, mask_channels=8, proposals=16, detections=5)
        >>> import numpy as np
        >>> found = model(np.zeros((1, 64, 64, 3)))
        >>> {part: tuple(values.shape) for part, values in sorted(found.items())}
        {'boxes': (1, 5, 4), 'classes': (1, 5), 'masks': (1, 5, 28, 28), 'scores': (1, 5)}
    """
    from wsseg.detectors.builder import rcnn
    from wsseg.detectors.rcnn import RCNN

    catalogue.check_name(DETECTORS, name, "detector")
    model_name, class_names = options.pop("name", None), options.pop("class_names", None)
    chosen = {option: value for option, value in options.items() if value is not None}
    takes = options_of(name)
    catalogue.check_options(f"detector `{name}`", chosen, takes)
    chosen = takes | {
        key: tuple(value) if isinstance(value, list) else value for key, value in chosen.items()
    }
    weights: str | Path | None = chosen.pop("weights")
    for required in ("num_classes", "input_size"):
        if chosen[required] is None:
            raise InputError(f"detector `{name}` needs the option `{required}`")
    parts, backbone = rcnn(**chosen, **DETECTORS[name], weights=weights)
    chosen["backbone"] = backbone  # the full name, including the width of a MobileNet
    if chosen["freeze_norms"] is None:
        chosen["freeze_norms"] = weights is not None
    return RCNN(parts, name, chosen, model_name, class_names)


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a detector with their defaults; options without default are None."""
    from wsseg.detectors.builder import rcnn

    return catalogue.options_of(rcnn, without=DETECTORS[name])
