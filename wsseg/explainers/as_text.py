"""An explainer and its options in one command-line word, such as `rise:samples=1000,cells=9`."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import yaml

from wsseg import explainers
from wsseg.catalogue import load
from wsseg.errors import InputError
from wsseg.explainers.core import Explainer


def read(text: str) -> tuple[str, dict[str, Any]]:
    """Split the text form of an explainer into its name and options.

    Args:
        text: `NAME` or `NAME:OPTION=VALUE,OPTION=VALUE`; each value is read as YAML.

    Returns:
        The name and the options.

    Raises:
        InputError: The text does not have this form.

    Example:
        >>> read("grad_cam"), read("rise:samples=1000,fill=mean,cells=[7, 9]")
        (('grad_cam', {}), ('rise', {'samples': 1000, 'fill': 'mean', 'cells': [7, 9]}))
    """
    name, colon, rest = text.partition(":")
    if not colon:
        return name, {}
    try:
        # Read as a one-line YAML mapping, so that a comma inside brackets belongs to a value.
        options = yaml.safe_load("{" + rest.replace("=", ": ") + "}")
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date of no meaning
        options = None
    if not isinstance(options, dict) or not options or None in options.values():
        raise InputError(
            f"`{text}`: options of an explainer are written NAME:OPTION=VALUE,OPTION=VALUE; try rise:samples=1000"
        )
    return name, options


def create(
    text: str, model: keras.Model, preprocess: Callable[[np.ndarray], np.ndarray] | None = None, **more: Any
) -> Explainer:
    """Build an explainer of `model` from its text form.

    Args:
        text: See `read`.
        model: See `wsseg.explainers.create`.
        preprocess: Function from `(B, H, W, C)` float32, of a picture in [0, 255], to the model's input. If the
            explainer takes a `baseline` and `text` sets neither it nor `value_range`, the baseline becomes preprocessed
            black. None keeps the explainer's own default.
        more: Further options, in addition to those in `text`.

    Raises:
        InputError: See `read` and `wsseg.explainers.create`.
    """
    name, options = read(text)
    takes_baseline = (
        "baseline" in inspect.signature(load(explainers.EXPLAINERS, name, "explainer")).parameters
    )
    if preprocess is not None and takes_baseline and not {"baseline", "value_range"} & set(options):
        shapes = [x.shape for x in getattr(model, "inputs", None) or () if len(x.shape) == 4]
        channels = (shapes[0][-1] if shapes else None) or 3
        options["baseline"] = preprocess(np.zeros((1, 8, 8, channels), np.float32))[0, 0, 0]
    return explainers.create(name, model, **more, **options)
