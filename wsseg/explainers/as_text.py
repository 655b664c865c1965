"""An explainer and its options as one word of a command: `rise:samples=1000,cells=9`."""

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
    """Split a written explainer into its name and options.

    Args:
        text: `NAME` or `NAME:OPTION=VALUE,OPTION=VALUE`; a value is read as in YAML.

    Returns:
        The name and the options.

    Raises:
        InputError: It is not written so.

    Example:
        >>> read("grad_cam"), read("rise:samples=1000,fill=mean,cells=[7, 9]")
        (('grad_cam', {}), ('rise', {'samples': 1000, 'fill': 'mean', 'cells': [7, 9]}))
    """
    name, colon, rest = text.partition(":")
    if not colon:
        return name, {}
    try:
        # As a YAML mapping in one line, so that a comma inside of brackets belongs to a value.
        options = yaml.safe_load("{" + rest.replace("=", ": ") + "}")
    except yaml.YAMLError:
        options = None
    if not isinstance(options, dict) or not options or None in options.values():
        raise InputError(
            f"`{text}`: options of an explainer are written NAME:OPTION=VALUE,OPTION=VALUE; try rise:samples=1000"
        )
    return name, options


def create(
    text: str, model: keras.Model, preprocess: Callable[[np.ndarray], np.ndarray] | None = None, **more: Any
) -> Explainer:
    """Build the explainer of `model` that is written so.

    Args:
        text: As of `read`.
        model: As of `wsseg.explainers.create`.
        preprocess: `(B, H, W, 3)` float32 RGB in [0, 255] -> what the model takes. Where an explainer compares with a
            `baseline` that is not given, that is what this makes of black; None for the explainer's own.
        more: Options beside the written ones.

    Raises:
        InputError: As of `read` and of `wsseg.explainers.create`.
    """
    name, options = read(text)
    takes_baseline = (
        "baseline" in inspect.signature(load(explainers.EXPLAINERS, name, "explainer")).parameters
    )
    if preprocess is not None and takes_baseline and not {"baseline", "value_range"} & set(options):
        options["baseline"] = preprocess(np.zeros((1, 8, 8, 3), np.float32))[0, 0, 0]
    return explainers.create(name, model, **more, **options)
