"""Checks of the section `supervision`, before the first stage runs."""

from pathlib import Path

from wsseg.annotations import MARKS
from wsseg.annotations.box_table import read_box_table
from wsseg.errors import InputError, require
from wsseg.recipe import Recipe, SupervisionConfig
from wsseg.recipe.decisions import fully_supervised, trains_classifier
from wsseg.supervision.corrected_masks import check_corrected_masks
from wsseg.supervision.splits import Splits


def check_supervision(splits: Splits) -> None:
    """Raise an error if options of the section contradict each other, or if data that they need is missing.

    Raises:
        InputError: The message names the option.
    """
    recipe = splits.recipe
    config = recipe.supervision
    if fully_supervised(recipe) and (config.annotations != "labels" or config.masks_share):
        raise InputError(
            "`segment.train_on: true_masks` trains on all true masks and needs no section `supervision`; remove one of "
            "the two"
        )
    if recipe.relabel.rounds and (config.annotations != "labels" or config.masks_share):
        raise InputError(
            "`relabel.rounds` makes new masks from the image-level labels alone, and would lose the masks or "
            "annotations of `supervision`; remove one of the two"
        )
    corrected = check_corrected_masks(splits)
    if corrected and fully_supervised(recipe):
        raise InputError(
            f"`segment.train_on: true_masks` trains on the dataset's masks and would not use the {corrected} corrected "
            f"masks in {splits.corrected}; correct the dataset's masks, or move the folder elsewhere"
        )
    _check_teacher(recipe)
    _check_masks(splits, corrected)
    _check_annotations(splits)
    _check_labels(splits)
    _check_loss(recipe)


def _check_teacher(recipe: Recipe) -> None:
    config = recipe.segment
    if not config.teacher.weight:
        return
    if fully_supervised(recipe):
        raise InputError(
            "`segment.teacher` labels the pixels that masks leave unlabelled, but the true masks of "
            "`segment.train_on: true_masks` leave none; remove one of the two"
        )
    confident = recipe.relabel.confidence if recipe.relabel.rounds else 0
    if not (recipe.label.unsure or confident or recipe.supervision.rest == "unlabelled"):
        raise InputError(
            "`segment.teacher` labels the pixels that masks leave unlabelled, but these pseudo-masks leave none; add "
            "`label.unsure`, such as 0.1, or remove `segment.teacher`"
        )


def _check_masks(splits: Splits, corrected: int) -> None:
    recipe = splits.recipe
    config = recipe.supervision
    if config.rest != "pseudo_masks":
        rest = f"`supervision.rest: {config.rest}`"
        if not config.masks_share:
            raise InputError(f"{rest} needs `supervision.masks_share`; try 0.1")
        if config.annotations != "labels":
            raise InputError(
                f"`supervision.annotations: {config.annotations}` has no effect with {rest}; remove one of the two"
            )
        if recipe.detect.network != "none":
            raise InputError(
                f"{rest} makes no pseudo-instances to train `detect.network` on; remove one of the two"
            )
        if recipe.segment.weights == "classifier":
            raise InputError(
                f"{rest} is for training without labels, but the weights of `segment.weights: classifier` were learnt "
                "from labels; try `segment.weights: null`"
            )
    if config.masks_repeat > 1 and (not (config.masks_share or corrected) or config.rest == "ignore"):
        raise InputError(
            "`supervision.masks_repeat` shows images with given masks more often than the others: it needs "
            "`supervision.masks_share` or corrected masks (`wsseg correct`), and a `supervision.rest` other than ignore"
        )
    if config.rest == "unlabelled" and not recipe.segment.teacher.weight:
        raise InputError(
            "`supervision.rest: unlabelled` needs `segment.teacher.weight`, as nothing else labels these images; try 1"
        )
    if config.masks_share and not _has_masks(splits):
        raise InputError(
            f"`supervision.masks_share` needs masks, and no image of split `{recipe.dataset.train}` has one"
        )


def _check_annotations(splits: Splits) -> None:
    recipe = splits.recipe
    config = recipe.supervision
    kind, root = config.annotations, config.annotations_root
    if not config.simulated:
        for option, given in (("width", config.width), ("loosened", config.loosened)):
            if given != getattr(SupervisionConfig, option):
                raise InputError(
                    f"`supervision.{option}` is for simulated annotations; add `simulated: true`, or remove it"
                )
    if kind != "labels" and recipe.propagate.instances:
        raise InputError(
            f"`propagate.instances` makes instances from labels alone, and would ignore the {kind} of "
            "`supervision.annotations`; remove one of the two"
        )
    if kind == "labels":
        for option, given in (("simulated", config.simulated), ("annotations_root", root is not None)):
            if given:
                raise InputError(
                    f"`supervision.{option}` needs `supervision.annotations`: points, scribbles or boxes"
                )
        return
    if config.simulated:
        if root is not None:
            raise InputError(
                "`supervision.simulated` draws annotations, `supervision.annotations_root` reads them; remove one of "
                "the two"
            )
        if not _has_masks(splits):
            raise InputError(
                "`supervision.simulated` draws annotations from true masks, and no image of split "
                f"`{recipe.dataset.train}` has one"
            )
        return
    train = splits.train()
    if root is None:
        if kind == "boxes" and train.knows_boxes:
            return
        wanted = "a folder of ID.png files" if kind in MARKS else "a CSV file, as the dataset has no boxes"
        raise InputError(
            f"`supervision.annotations: {kind}` needs `supervision.annotations_root`: {wanted}; or, for a study on "
            "data with masks, `supervision.simulated: true`"
        )
    path, ids = Path(root).expanduser(), [record.id for record in train]
    if kind == "boxes":
        found = set(read_box_table(path, train.classes)) & set(ids)
    elif path.is_dir():
        found = {name for name in ids if (path / f"{name}.png").is_file()}
    else:
        raise InputError(
            f"`supervision.annotations_root`: {path} is not a folder; expected a folder of ID.png files"
        )
    if not found:
        raise InputError(
            f"`supervision.annotations_root`: {path} has no annotation for split `{recipe.dataset.train}`; expected "
            f"image ids such as `{ids[0]}`"
        )


def _check_labels(splits: Splits) -> None:
    recipe = splits.recipe
    config = recipe.supervision
    for option, given in (
        ("label_noise", config.label_noise),
        ("clean_labels", config.clean_labels != "none"),
    ):
        if given and recipe.classify.options.get("activation") == "softmax":
            raise InputError(
                f"`supervision.{option}` is for several labels per image, `classify.options.activation: softmax` for "
                "one label per image; remove one of the two"
            )
        if given and not trains_classifier(recipe):
            raise InputError(
                f"`supervision.{option}` changes labels, but nothing in this recipe learns from labels; remove it"
            )
        if given and fully_supervised(recipe):
            raise InputError(
                f"`supervision.{option}` has no effect with `segment.train_on: true_masks`; remove one of the two"
            )
    if config.clean_labels == "none":
        if config.clean_folds != SupervisionConfig.clean_folds:
            raise InputError("`supervision.clean_folds` needs `supervision.clean_labels: confidence`")
        return
    count = len(splits.train())
    if config.clean_folds > count:
        raise InputError(
            f"`supervision.clean_folds` ({config.clean_folds}) must be at most {count}, the number of training images"
        )


def _check_loss(recipe: Recipe) -> None:
    name, options = recipe.classify.loss, recipe.classify.loss_options
    for option, value in options.items():
        if name == "cross_entropy" or option != "q":
            takes = "it has no options" if name == "cross_entropy" else "its option is `q`"
            raise InputError(f"`classify.loss_options`: the loss `{name}` has no option `{option}`; {takes}")
        require(f"classify.loss_options.{option}", value, lambda q: 0 < q <= 1, "in (0, 1]; try 0.7")


def _has_masks(splits: Splits) -> bool:
    return any(record.mask is not None for record in splits.train(masks=True))
