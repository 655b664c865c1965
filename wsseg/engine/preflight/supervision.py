"""What is wrong with the section `supervision`, said before a run."""

from pathlib import Path

from wsseg.annotations import MARKS
from wsseg.annotations.box_table import read_box_table
from wsseg.errors import InputError, require
from wsseg.recipe import Recipe, SupervisionConfig
from wsseg.recipe.decisions import fully_supervised, trains_classifier
from wsseg.supervision.splits import Splits


def check_supervision(splits: Splits) -> None:
    """Fail on options of the section that contradict each other, and on data that is not there.

    Raises:
        InputError: The message names the option.
    """
    recipe = splits.recipe
    config = recipe.supervision
    if fully_supervised(recipe) and (config.annotations != "labels" or config.masks_share):
        raise InputError(
            "`segment.train_on: true_masks` trains on all true masks and needs no section `supervision`; leave one out"
        )
    if recipe.relabel.rounds and (config.annotations != "labels" or config.masks_share):
        raise InputError(
            "`relabel.rounds` labels the training images anew by their labels alone, and would lose what `supervision` "
            "gives beside these; leave one out"
        )
    _check_teacher(recipe)
    _check_masks(splits)
    _check_annotations(splits)
    _check_labels(splits)
    _check_loss(recipe)


def _check_teacher(recipe: Recipe) -> None:
    config = recipe.segment
    if not config.teacher.weight:
        return
    if fully_supervised(recipe):
        raise InputError(
            "`segment.teacher` labels what masks leave open, and the true masks of `segment.train_on: true_masks` "
            "leave nothing; remove one of the two"
        )
    confident = recipe.relabel.confidence if recipe.relabel.rounds else 0
    if not (recipe.label.unsure or confident or recipe.supervision.rest == "unlabelled"):
        raise InputError(
            "`segment.teacher` labels what masks leave open, and these pseudo-masks leave nothing open; add "
            "`label.unsure`, such as 0.1, or leave it out"
        )


def _check_masks(splits: Splits) -> None:
    recipe = splits.recipe
    config = recipe.supervision
    if config.rest != "pseudo_masks":
        rest = f"`supervision.rest: {config.rest}`"
        if not config.masks_share:
            raise InputError(f"{rest} needs `supervision.masks_share`; try 0.1")
        if config.annotations != "labels":
            raise InputError(
                f"`supervision.annotations: {config.annotations}` are of no use with {rest}; leave one out"
            )
        if recipe.detect.network != "none":
            raise InputError(f"{rest} makes no pseudo-instances to train `detect.network` on; leave one out")
        if recipe.segment.weights == "classifier":
            raise InputError(
                f"{rest} leaves out labels, and `segment.weights: classifier` would bring them into the segmenter; try "
                "`segment.weights: null`"
            )
    if config.masks_repeat > 1 and (not config.masks_share or config.rest == "ignore"):
        raise InputError(
            "`supervision.masks_repeat` shows given masks more often than other images: it needs "
            "`supervision.masks_share` and another `supervision.rest` than ignore"
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
                raise InputError(f"`supervision.{option}` is of simulated annotations; add `simulated: true`")
    if kind != "labels" and recipe.propagate.instances:
        raise InputError(
            f"`propagate.instances` makes instances of labels alone, and would ignore the {kind} of "
            "`supervision.annotations`; leave one out"
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
                "`supervision.simulated` draws annotations, `supervision.annotations_root` reads them; leave one out"
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
        wanted = "a folder of ID.png" if kind in MARKS else "a CSV, as the dataset knows no boxes"
        raise InputError(
            f"`supervision.annotations: {kind}` needs `supervision.annotations_root`: {wanted}; or, for studies on "
            "data with masks, `supervision.simulated: true`"
        )
    path, ids = Path(root).expanduser(), [record.id for record in train]
    if kind == "boxes":
        found = set(read_box_table(path, train.classes)) & set(ids)
    elif path.is_dir():
        found = {name for name in ids if (path / f"{name}.png").is_file()}
    else:
        raise InputError(
            f"`supervision.annotations_root`: {path} is not a folder; expected one with ID.png in it"
        )
    if not found:
        raise InputError(
            f"`supervision.annotations_root`: {path} annotates no image of split `{recipe.dataset.train}`, such as "
            f"`{ids[0]}`"
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
                f"`supervision.{option}` takes each class as present or absent, `classify.options.activation: softmax` "
                "one label an image; leave one out"
            )
        if given and not trains_classifier(recipe):
            raise InputError(
                f"`supervision.{option}` is about labels that nothing in this recipe learns from; leave it out"
            )
        if given and fully_supervised(recipe):
            raise InputError(
                f"`supervision.{option}` is of no use with `segment.train_on: true_masks`; leave one out"
            )
    if config.clean_labels == "none":
        if config.clean_folds != SupervisionConfig.clean_folds:
            raise InputError("`supervision.clean_folds` needs `supervision.clean_labels: confidence`")
        return
    count = len(splits.train())
    if config.clean_folds > count:
        raise InputError(
            f"`supervision.clean_folds` ({config.clean_folds}) must be at most {count}, the images"
        )


def _check_loss(recipe: Recipe) -> None:
    name, options = recipe.classify.loss, recipe.classify.loss_options
    for option, value in options.items():
        if name == "cross_entropy" or option != "q":
            takes = "it takes none" if name == "cross_entropy" else "it takes `q`"
            raise InputError(f"`classify.loss_options`: the loss `{name}` has no option `{option}`; {takes}")
        require(f"classify.loss_options.{option}", value, lambda q: 0 < q <= 1, "in (0, 1]; try 0.7")


def _has_masks(splits: Splits) -> bool:
    return any(record.mask is not None for record in splits.train(masks=True))
