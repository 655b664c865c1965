"""What the recipe's section `supervision` makes of the training data, and which stages it concerns."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsseg.annotations import MARKS
from wsseg.artifacts import digest, read_json
from wsseg.datasets import Dataset
from wsseg.datasets.image_draws import drawn_share
from wsseg.datasets.label_noise import noisy_labels
from wsseg.errors import InputError
from wsseg.file_names import CORRECTED_LABELS
from wsseg.recipe import Recipe
from wsseg.supervision import splits


def training_data(
    recipe: Recipe, inputs: Mapping[str, Path], masks: bool = False
) -> tuple[Dataset, dict[str, str]]:
    """Open the usable training images with the labels that the run goes by: the one place where they become wrong.

    Args:
        recipe: Names the dataset, and the noise.
        inputs: The run's `data` folder and, where labels are corrected, that of the classify stage if it is done.
        masks: As of `wsseg.supervision.splits.open_split`.

    Returns:
        The images, and what was set aside, `id -> reason`.
    """
    train, set_aside = splits.checked(recipe, recipe.dataset.train, inputs["data"], masks=masks)
    config = recipe.supervision
    if config.clean_labels != "none" and "classify" in inputs:
        return train.with_labels(read_json(inputs["classify"] / CORRECTED_LABELS)), set_aside
    if config.label_noise:
        whole = splits.open_split(recipe, recipe.dataset.train)
        return train.with_labels(noisy_labels(whole, config.label_noise, recipe.seed)), set_aside
    return train, set_aside


def with_given_masks(recipe: Recipe) -> Dataset | None:
    """Return the training images that come with their masks, and no others; None where none do. No mask is opened."""
    share = recipe.supervision.masks_share
    if not share:
        return None
    dataset = splits.open_split(recipe, recipe.dataset.train, masks=True)
    with_mask = [record.id for record in dataset if record.mask is not None]
    return dataset.subset(drawn_share(recipe.seed, "given masks", with_mask, share))


def options_of(recipe: Recipe, stage: str) -> dict[str, Any]:
    """Return the options of the section that decide a stage's outcome in this recipe, by dotted name.

    Options that do nothing are left out, so that runs from before they existed stay as they are.
    """
    config = recipe.supervision
    names: list[str] = []
    if stage in ("classify", "localize", "propagate", "label"):
        names += ["label_noise"] if config.label_noise else []
        names += ["clean_labels"] if config.clean_labels != "none" else []
        names += ["clean_folds"] if config.clean_labels != "none" and stage == "classify" else []
    if stage == "label":
        if config.annotations != "labels":
            names += ["annotations", "simulated"]
            if config.simulated:
                names.append("loosened" if config.annotations == "boxes" else "width")
        names += ["masks_share", "rest"] if config.masks_share else []
    if stage == "segment" and config.masks_repeat > 1:
        names.append("masks_repeat")
    options = {f"supervision.{name}": getattr(config, name) for name in names}
    drawn = config.label_noise or config.masks_share or config.simulated
    return options | ({"seed": recipe.seed} if stage == "label" and drawn else {})


def data_of(recipe: Recipe, stage: str) -> dict[str, str]:
    """Return hashes of the data that the section adds to what a stage reads."""
    config = recipe.supervision
    if stage != "label":
        return {}
    found = {}
    if (given := with_given_masks(recipe)) is not None:
        found["given_masks"] = splits.identity_of(given)
    if config.annotations != "labels":
        found["annotations"] = _fingerprint_of_annotations(recipe)
    return found


def _fingerprint_of_annotations(recipe: Recipe) -> str:
    """Hash what the annotations are made from: files by content, as a point that moves leaves the size as it was."""
    config = recipe.supervision
    train = splits.open_split(recipe, recipe.dataset.train, masks=config.simulated)
    if config.simulated:
        return splits.identity_of(train)
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


def described(recipe: Recipe) -> str:
    """Say in words what the training images come with, for scores and report.

    Example:
        >>> described(Recipe())
        'image-level labels'
    """
    config = recipe.supervision
    if recipe.segment.train_on == "true_masks":
        return "true masks (fully supervised)"
    parts = []
    if config.rest == "pseudo_masks" or not config.masks_share:
        labels = "image-level labels"
        if config.label_noise:
            labels += f", made wrong at a rate of {config.label_noise:g}"
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
    if config.masks_share:
        often = f", shown {config.masks_repeat} times as often" if config.masks_repeat > 1 else ""
        parts.append(
            f"the true masks of a share of {config.masks_share:g} of the images that have one{often}"
        )
        if config.rest == "ignore":
            parts.append("the other images left out")
        if config.rest == "unlabelled":
            parts.append("the other images without labels")
    return "; ".join(parts)
