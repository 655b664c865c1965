"""What is wrong with a detector, or with how any network would be built, found before the first stage runs."""

import functools
import json
from typing import Any

from wsseg.errors import InputError, nearest
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import fully_supervised
from wsseg.supervision.splits import Splits

OWN_OPTIONS = ("weights", "backbone", "output_stride", "channels")
"""Options of segmenters that are options of the segment stage itself."""

SET_BY_STAGE = ("num_classes", "input_size", "name")


def check_detector(splits: Splits) -> None:
    """Fail on a detector that has nothing to learn from or cannot be built.

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
            "`detect.network` learns from pseudo-instances, which `segment.train_on: true_masks` does not make; leave "
            "that out (`ceiling: true` trains on the true instances too)"
        )
    if not recipe.propagate.instances:
        raise InputError(
            "`detect.network` learns from the instances that IRNet tells apart: add `propagate.method: irn` and "
            "`propagate.instances: true`, or leave it out"
        )
    if recipe.ceiling:
        train = splits.train(masks=True)
        if all(record.instances is None for record in train):
            raise InputError(
                f"`ceiling: true` needs instances, and no image of split `{train.split}` has them"
            )
    further = [o for o in detectors.options_of(config.network) if o not in (*OWN_OPTIONS[:2], *SET_BY_STAGE)]
    for option in config.options:
        if option in OWN_OPTIONS[:2]:
            raise InputError(f"`detect.options.{option}`: write `detect.{option}` instead")
        if option in SET_BY_STAGE:
            raise InputError(f"`detect.options.{option}` is set by the stage itself; leave it out")
        if option not in further:
            raise InputError(
                f"`detect.options`: `{config.network}` has no option `{option}`; {nearest(option, further)}"
            )
    options = built_with(recipe, "detect") | {"input_size": [config.crop] * 2}
    sizes_of("detect", config.network, json.dumps(options | config.options, default=str))


def built_with(recipe: Recipe, section: str) -> dict[str, Any]:
    """Return the options `backbone` and `weights` for building a network before a classifier is trained.

    Raises:
        InputError: It begins with the classifier's weights, and is to have another backbone.
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
    """Build a network on the CPU, for its errors and for the image sizes that it takes.

    Args:
        section: The recipe's: classify, segment or detect.
        network: Its name.
        options: All but `num_classes`, as JSON.

    Returns:
        The sizes of a segmenter; None of the others.

    Raises:
        InputError: It can't be built so.
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
