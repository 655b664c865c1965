"""The training images with the labels, masks and annotations from the section `supervision`."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from wsseg.annotations import MARKS
from wsseg.artifacts import digest, read_json
from wsseg.datasets import Dataset
from wsseg.datasets.image_draws import drawn_share
from wsseg.datasets.label_noise import noisy_labels
from wsseg.errors import InputError
from wsseg.file_names import CORRECTED_LABELS
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import corrects_labels, fully_supervised
from wsseg.supervision.corrected_masks import counted
from wsseg.supervision.splits import Splits, identity_of


def training_data(
    splits: Splits, inputs: Mapping[str, Path], masks: bool = False
) -> tuple[Dataset, dict[str, str]]:
    """Open the usable training images with the labels that the run uses. Only here do labels get noise or corrections.

    Args:
        splits: Splits of the dataset, and the recipe that gives the noise of the labels.
        inputs: Folders of earlier stages. The folder of the classify stage has the corrected labels, if any.
        masks: See `wsseg.supervision.splits.Splits.open`.

    Returns:
        The images, and the images set aside, `id -> reason`.
    """
    recipe = splits.recipe
    train, set_aside = splits.checked(recipe.dataset.train, masks)
    if corrects_labels(recipe) and "classify" in inputs:
        return train.with_labels(read_json(inputs["classify"] / CORRECTED_LABELS, dict)), set_aside
    if noise := recipe.supervision.label_noise:
        return train.with_labels(noisy_labels(splits.train(), noise, recipe.seed)), set_aside
    return train, set_aside


def with_given_masks(splits: Splits) -> Dataset | None:
    """Return the training images whose masks are given; None if the recipe gives none. No mask is opened."""
    share = splits.recipe.supervision.masks_share
    if not share:
        return None
    dataset = splits.train(masks=True)
    with_mask = [record.id for record in dataset if record.mask is not None]
    return dataset.subset(drawn_share(splits.recipe.seed, "given masks", with_mask, share))


def fingerprint_of_given_masks(splits: Splits) -> str:
    """Return a hash of the training images whose masks are given."""
    return identity_of(with_given_masks(splits))


def fingerprint_of_annotations(splits: Splits) -> str:
    """Return a hash of the annotations' source. Files are hashed by content: a moved point does not change the size."""
    config = splits.recipe.supervision
    train = splits.train(masks=config.simulated)
    if config.simulated:
        return identity_of(train)
    if config.annotations_root is None:
        boxes = [(record.id, train.read_boxes(record)) for record in train] if train.knows_boxes else []
        return digest([[name, found.class_ids.tolist(), found.boxes_xyxy.tolist()] for name, found in boxes])
    root = Path(config.annotations_root).expanduser()
    marks = config.annotations in MARKS
    files = [root / f"{record.id}.png" for record in train] if marks else [root]
    try:
        contents = [
            [path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files if path.is_file()
        ]
    except OSError as error:
        raise InputError(f"annotations {root} cannot be read ({error.strerror or error})") from error
    return digest(contents)


def describe_supervision(recipe: Recipe, corrected: int = 0) -> str:
    """Describe the supervision of the training images in words, for the scores and the report.

    Args:
        recipe: Recipe of the run.
        corrected: Number of masks that were corrected by hand.

    Example:
        >>> describe_supervision(Recipe(), 10)
        'image-level labels; 10 corrected masks'
    """
    config = recipe.supervision
    if fully_supervised(recipe):
        return "true masks (fully supervised)"
    parts = []
    if config.rest == "pseudo_masks" or not config.masks_share:
        labels = "image-level labels"
        if config.label_noise:
            labels += f", with noise at a rate of {config.label_noise:g}"
        if config.clean_labels != "none":
            labels += f", corrected by classifiers of {config.clean_folds} folds"
        parts.append(labels)
    if config.annotations != "labels":
        kind = config.annotations
        if config.simulated:
            kind += " SIMULATED from the true training masks" + (
                f", loosened by up to {config.loosened:g}"
                if kind == "boxes"
                else f", {config.width} pixels wide"
            )
        parts.append(kind)
    often = f", shown {config.masks_repeat} times as often" if config.masks_repeat > 1 else ""
    if corrected:
        parts.append(f"{counted(corrected)}{often}")
    if config.masks_share:
        parts.append(
            f"the true masks of a share of {config.masks_share:g} of the images that have one{often}"
        )
        if config.rest == "ignore":
            parts.append("the other images not used")
        if config.rest == "unlabelled":
            parts.append("the other images without labels")
    return "; ".join(parts)
