"""Checks of networks, losses, explainers and masks, before the first stage runs."""

import json

from wsseg.engine.preflight.callbacks import check_callbacks
from wsseg.engine.preflight.masks import check_masks
from wsseg.engine.preflight.networks import (
    OWN_OPTIONS,
    SET_BY_STAGE,
    built_with,
    check_detector,
    check_options,
    sizes_of,
)
from wsseg.engine.preflight.supervision import check_supervision
from wsseg.errors import InputError, nearest
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import (
    calibrates,
    fully_supervised,
    keeps_best,
    trains_classifier,
    trains_segmenter,
)
from wsseg.supervision.splits import Splits


def check_parts(splits: Splits) -> None:
    """Raise an error if a network, loss or explainer does not exist or cannot work, or if needed masks are missing.

    Raises:
        InputError: The message names the option.
    """
    from wsseg import backbones, classifiers, explainers, segmenters

    recipe = splits.recipe
    named = {"segment.network": (recipe.segment.network, (*segmenters.SEGMENTERS, "none"))}
    networks = {} if recipe.segment.backbone is None else {"segment.backbone": recipe.segment.backbone}
    if trains_classifier(recipe):
        named["classify.head"] = (recipe.classify.head, classifiers.CLASSIFIERS)
        named["localize.explainer"] = (recipe.localize.explainer, explainers.EXPLAINERS)
        networks["classify.backbone"] = recipe.classify.backbone
    for option, (name, table) in named.items():
        if name not in table:
            raise InputError(f"`{option}`: there is no `{name}`; {nearest(name, table)}")
    for option, name in networks.items():
        try:
            backbones.level_strides(name)
        except InputError as error:
            raise InputError(f"`{option}`: {error}") from error
    if trains_classifier(recipe):
        check_classifier(splits)
        check_propagate(recipe)
    if recipe.segment.network != "none":
        check_loss(splits)
        check_segmenter(recipe)
    check_detector(splits)
    check_kept_epochs(splits)
    check_callbacks(recipe)
    check_supervision(splits)
    check_masks(splits)
    supervised = fully_supervised(recipe)
    if supervised or recipe.ceiling:
        train = splits.train(masks=True)
        if all(record.mask is None for record in train):
            option = "`segment.train_on: true_masks`" if supervised else "`ceiling: true`"
            raise InputError(f"{option} needs masks, and no image of split `{train.split}` has one")
    if calibrates(recipe):
        splits.check_calibration()


def check_kept_epochs(splits: Splits) -> None:
    """Raise an error if a best epoch is to be kept, but the validation split has no labels to choose it by.

    Raises:
        InputError: The message names the option.
    """
    recipe = splits.recipe
    trained = {"classify": trains_classifier(recipe), "segment": trains_segmenter(recipe)}
    for section, is_trained in trained.items():
        if is_trained and keeps_best(getattr(recipe, section)):
            val = splits.open(recipe.dataset.val)
            if not any(record.labels for record in val):
                raise InputError(
                    f"`{section}.keep: best` and `{section}.patience` choose an epoch by labels, and no image of split "
                    f"`{val.split}` has one; use `keep: last` and `patience: 0`"
                )


def check_classifier(splits: Splits) -> None:
    """Raise an error if the classifier lacks an option, or if the explainer or output stride does not suit it.

    Raises:
        InputError: The message names the option.
    """
    from wsseg import classifiers
    from wsseg.catalogue import load

    recipe = splits.recipe
    config, localize = recipe.classify, recipe.localize
    takes = classifiers.options_of(config.head)
    check_options("classify", config.head, config.options, takes, OWN_OPTIONS[:3])
    own = load(classifiers.CLASSIFIERS, config.head, "classifier").explainers
    # Other explainers, such as grad_cam, explain any head; for `acol` they explain the branch that gives the scores.
    if localize.explainer in ("acol", "cam", "seam") and localize.explainer not in own:
        raise InputError(
            f"`localize.explainer: {localize.explainer}` does not suit `classify.head: {config.head}`; try {own[0]}"
        )
    if localize.absent and localize.explainer != "cam":
        raise InputError(
            "`localize.absent` adds the maps of several classes, but `localize.explainer: "
            f"{localize.explainer}` scales each map separately; remove `localize.absent`, or try cam"
        )
    stride = localize.output_stride
    if "rate" in takes and stride is not None and stride > config.output_stride:
        raise InputError(
            f"`localize.output_stride` ({stride}) must be at most `classify.output_stride` ({config.output_stride}) "
            f"with `classify.head: {config.head}`, whose 3x3 convolutions were trained at that output stride"
        )
    if config.options:
        chosen = {"backbone": config.backbone, "output_stride": config.output_stride} | config.options
        sizes_of("classify", config.head, json.dumps(chosen, default=str))
    if config.options.get("activation") == "softmax":
        for record in splits.train():
            if len(record.labels) != 1:
                raise InputError(
                    f"`classify.options.activation: softmax` is for images with one label; `{record.id}` of split "
                    f"`{recipe.dataset.train}` has {len(record.labels)}; remove `activation`"
                )


def check_propagate(recipe: Recipe) -> None:
    """Raise an error if an option of the propagate stage cannot work.

    Raises:
        InputError: The message names the option.
    """
    from wsseg import backbones

    config = recipe.propagate
    if config.method == "none":
        return
    if config.instances and config.method != "irn":
        raise InputError(
            "`propagate.instances` needs IRNet, which separates instances; use `propagate.method: irn`, or remove "
            "`propagate.instances`"
        )
    if config.backbone is not None:
        try:
            backbones.level_strides(config.backbone)
        except InputError as error:
            raise InputError(f"`propagate.backbone`: {error}") from error
        built_with(recipe, "propagate")
    cells, needed = config.crop // {"irn": 4, "psa": 8}[config.method], 2 * config.learn_radius - 1
    if cells < needed:
        raise InputError(
            f"`propagate.crop` ({config.crop}) has {cells} cells per side, and `propagate.learn_radius` "
            f"({config.learn_radius}) needs {needed}; use a larger crop or a smaller radius"
        )
    first, second = config.confident
    if (first < second) == (config.background == "constant") and first != second:
        order = "falling (IRN: 0.3, 0.05)" if config.background == "constant" else "rising (PSA: 4, 32)"
        raise InputError(
            f"`propagate.confident` with a {config.background} background must be {order}; got {first}, {second}"
        )


def check_loss(splits: Splits) -> None:
    """Raise an error if a loss does not exist, cannot train a segmenter, or lacks an option.

    A loss with class weights needs one weight for each class of the dataset, background included.

    Raises:
        InputError: The message names `segment.loss` or `segment.loss_options`.
    """
    from wsseg import losses

    recipe = splits.recipe
    name = recipe.segment.loss
    if why := losses.NEED_MORE.get(name):
        raise InputError(f"`segment.loss`: `{name}` {why}; try balanced or seed")
    usable = [other for other in losses.LOSSES if other not in losses.NEED_MORE]
    if name not in usable:
        raise InputError(f"`segment.loss`: there is no `{name}`; {nearest(name, usable)}")
    try:
        loss = losses.create(name, **recipe.segment.loss_options)
        if hasattr(loss, "per_class"):
            losses.check_classes(loss, num_classes(splits))
    except InputError as error:
        raise InputError(f"`segment.loss_options`: {error}") from error
    if recipe.segment.teacher.weight and hasattr(loss, "maps"):
        raise InputError(
            f"`segment.loss: {name}` computes maps from whole masks in advance, but `segment.teacher` labels pixels "
            "during training; try `loss: cross_entropy`"
        )


def num_classes(splits: Splits) -> int:
    """Return the number of classes of the recipe's segmenter, background included."""
    classes = splits.recipe.dataset.classes or splits.train().classes
    return len(classes) + 1


def check_segmenter(recipe: Recipe) -> None:
    """Raise an error if the segmenter lacks an option, or if it cannot take crops of the given size.

    The check builds the segmenter once, with its initial weights unless these come from another stage. So the user
    learns of an error in seconds, not in hours.

    Raises:
        InputError: The message names the option.
    """
    from wsseg import segmenters

    config = recipe.segment
    takes = segmenters.options_of(config.network)
    further = [option for option in takes if option not in (*OWN_OPTIONS, *SET_BY_STAGE)]
    for option in OWN_OPTIONS[1:]:
        if getattr(config, option) is not None and option not in takes:
            raise InputError(
                f"`segment.{option}`: `{config.network}` has no such option; remove it"
                + (f"; `segment.options` can hold {', '.join(further)}" if further else "")
            )
    check_options("segment", config.network, config.options, takes, OWN_OPTIONS)
    if config.weights == "classifier" and "backbone" not in takes:
        raise InputError(
            f"`segment.weights: classifier`: `{config.network}` has its own encoder, which a classifier's "
            "backbone does not fit; use `weights: null`, or a network with a backbone, such as deeplab_v3_plus"
        )
    options = {"output_stride": config.output_stride, "channels": config.channels}
    options |= built_with(recipe, "segment")
    sizes = sizes_of("segment", config.network, json.dumps(options | config.options, default=str))
    try:
        sizes.check((config.crop, config.crop), config.network)
    except InputError as error:
        raise InputError(f"`segment.crop`: {error}") from error
