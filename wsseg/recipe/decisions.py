"""What a recipe decides by several options together; every part of the package asks here."""

from collections.abc import Callable

from wsseg.recipe.recipe import Recipe
from wsseg.recipe.training import ValidatedTrainingConfig
from wsseg.refiners.background_levels import RULES


def fully_supervised(recipe: Recipe) -> bool:
    """Whether the segmenter is trained on the true masks of the training split, so that no pseudo-mask is made."""
    return recipe.segment.train_on == "true_masks"


def trains_segmenter(recipe: Recipe) -> bool:
    """Whether a segmenter is trained."""
    return fully_supervised(recipe) or recipe.segment.network != "none"


def trains_detector(recipe: Recipe) -> bool:
    """Whether a detector is trained on pseudo-instances."""
    return not fully_supervised(recipe) and recipe.detect.network != "none"


def relabels(recipe: Recipe) -> bool:
    """Whether the training images are labelled anew by segmenters."""
    return not fully_supervised(recipe) and recipe.segment.network != "none" and recipe.relabel.rounds > 0


def makes_class_maps(recipe: Recipe) -> bool:
    """Whether a classifier explains the labels of the training images."""
    masks_alone = recipe.supervision.masks_share and recipe.supervision.rest != "pseudo_masks"
    return not fully_supervised(recipe) and not masks_alone


def trains_classifier(recipe: Recipe) -> bool:
    """Whether a classifier is trained: for class maps, or as the beginning of a fully supervised segmenter."""
    if fully_supervised(recipe):
        return recipe.segment.weights == "classifier"
    return makes_class_maps(recipe)


def walks(recipe: Recipe) -> bool:
    """Whether class maps are spread by a random walk, so that there are maps before and after it."""
    return makes_class_maps(recipe) and recipe.propagate.method != "none"


def keeps_best(config: ValidatedTrainingConfig) -> bool:
    """Whether a training keeps its best epoch by the validation images, not its last."""
    return config.keep == "best" or config.patience > 0


def calibrates(recipe: Recipe) -> bool:
    """Whether the background level is chosen on a calibration split, by its masks."""
    return not fully_supervised(recipe) and RULES[recipe.label.threshold.rule].needs_masks


def corrects_labels(recipe: Recipe) -> bool:
    """Whether training labels are corrected; the classify stage then writes them."""
    return trains_classifier(recipe) and recipe.supervision.clean_labels != "none"


def draws_supervision(recipe: Recipe) -> bool:
    """Whether something that comes with the training images is drawn by the recipe's seed."""
    config = recipe.supervision
    return bool(config.label_noise or config.masks_share or config.simulated)


_ACT = {
    "annotations": lambda config: config.annotations != "labels",
    "simulated": lambda config: config.annotations != "labels",
    "width": lambda config: config.annotations in ("points", "scribbles") and config.simulated,
    "loosened": lambda config: config.annotations == "boxes" and config.simulated,
    "masks_share": lambda config: config.masks_share > 0,
    "rest": lambda config: config.masks_share > 0,
    "masks_repeat": lambda config: config.masks_repeat > 1,
    "label_noise": lambda config: config.label_noise > 0,
    "clean_labels": lambda config: config.clean_labels != "none",
    "clean_folds": lambda config: config.clean_labels != "none",
}


def supervision_acts(option: str) -> Callable[[Recipe], bool]:
    """Return the condition under which an option of the section `supervision` does something."""
    return lambda recipe: _ACT[option](recipe.supervision)
