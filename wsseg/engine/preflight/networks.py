"""Checks of the detector's options, and of whether a network can be built, before the first stage runs."""

import functools
import json
from collections.abc import Iterable, Sequence
from typing import Any

from wsseg.errors import InputError, nearest
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import fully_supervised
from wsseg.supervision.splits import Splits

OWN_OPTIONS = ("weights", "backbone", "output_stride", "channels")
"""Options of segmenters that the segment stage has as its own options."""

SET_BY_STAGE = ("num_classes", "input_size", "name")


def check_detector(splits: Splits) -> None:
    """Raise an error if a detector has nothing to learn from or cannot be built.

    Raises:
        InputError: The message names the option.
    """
    from wsseg import detectors

    recipe = splits.recipe
    config = recipe.detect
    if config.network == "none":
        if recipe.segment.network == "none":
            raise InputError("`segment.network` and `detect.network` are both none: nothing would be trained")
        return
    if fully_supervised(recipe):
        raise InputError(
            "`detect.network` learns from pseudo-instances, which `segment.train_on: true_masks` does not make; remove "
            "`segment.train_on` (`ceiling: true` also trains on the true instances)"
        )
    if not recipe.propagate.instances:
        raise InputError(
            "`detect.network` learns from the instances that IRNet separates: add `propagate.method: irn` and "
            "`propagate.instances: true`, or remove `detect.network`"
        )
    if recipe.ceiling:
        train = splits.train(masks=True)
        if all(record.instances is None for record in train):
            raise InputError(
                f"`ceiling: true` needs instances, and no image of split `{train.split}` has them"
            )
    takes = detectors.options_of(config.network)
    check_options("detect", config.network, config.options, takes, OWN_OPTIONS[:2])
    options = built_with(recipe, "detect") | {"input_size": [config.crop] * 2}
    sizes_of("detect", config.network, json.dumps(options | config.options, default=str))


def check_options(
    section: str, network: str, options: Iterable[str], takes: Iterable[str], own: Sequence[str]
) -> None:
    """Raise an error if a network lacks an option of `options` in a section, or if the option stands elsewhere.

    Args:
        section: Section of the recipe: classify, segment or detect.
        network: Name of the network.
        options: Names of the given options.
        takes: Names of the options that the network takes.
        own: Names of those that are options of the section itself.

    Raises:
        InputError: The message names the option.
    """
    further = [option for option in takes if option not in (*own, *SET_BY_STAGE)]
    for option in options:
        if option in own:
            raise InputError(f"`{section}.options.{option}`: write `{section}.{option}` instead")
        if option in SET_BY_STAGE:
            raise InputError(f"`{section}.options.{option}` is set by the stage itself; remove it")
        if option not in further:
            hint = (
                nearest(option, further) if further else f"it has only the options of the section `{section}`"
            )
            raise InputError(f"`{section}.options`: `{network}` has no option `{option}`; {hint}")


def built_with(recipe: Recipe, section: str) -> dict[str, Any]:
    """Return the options `backbone` and `weights` with which a network can be built before a classifier is trained.

    Raises:
        InputError: The network starts from the classifier's weights but has another backbone.
    """
    config = getattr(recipe, section)
    if config.weights != "classifier":
        return {"backbone": config.backbone, "weights": config.weights}
    if config.backbone not in (None, recipe.classify.backbone):
        raise InputError(
            f"`{section}.weights: classifier` needs `{section}.backbone` ({config.backbone}) to be `classify.backbone` "
            f"({recipe.classify.backbone}); remove it, or use `{section}.weights: imagenet`"
        )
    return {"backbone": recipe.classify.backbone, "weights": None}


@functools.lru_cache(maxsize=32)
def sizes_of(section: str, network: str, options: str) -> LegalSizes | None:
    """Build a network on the CPU, to find errors and the image sizes that it accepts.

    Args:
        section: Section of the recipe: classify, segment or detect.
        network: Name of the network.
        options: All options except `num_classes`, as JSON.

    Returns:
        The image sizes that a segmenter accepts; None for other networks.

    Raises:
        InputError: The network cannot be built with these options.
    """
    import keras

    from wsseg import classifiers, detectors, segmenters

    chosen: dict[str, Any] = json.loads(options)
    kinds = {"classify": classifiers, "segment": segmenters, "detect": detectors}
    create = kinds[section].create
    try:
        with keras.device("cpu"):
            return getattr(create(network, num_classes=2, **chosen), "sizes", None)
    except InputError as error:
        raise InputError(f"`{section}`: {error}") from error
    except (TypeError, ValueError) as error:
        given = {option: value for option, value in chosen.items() if value is not None}
        raise InputError(f"`{section}`: `{network}` can't be built with {given}: {error}") from error
