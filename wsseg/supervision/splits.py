"""What the stages see of the dataset: no masks unless they score, broken images set aside once for all."""

import re
from collections.abc import Container
from pathlib import Path

from wsseg import datasets
from wsseg.artifacts import digest, read_json, write_json
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.image_files import check_images
from wsseg.progress import bar
from wsseg.recipe import Recipe


def open_split(recipe: Recipe, split: str, masks: bool = False) -> Dataset:
    """Open one split of the recipe's dataset.

    Args:
        recipe: Names the dataset.
        split: Which part of it.
        masks: Whether its records know their masks. Only scoring and full supervision may ask for them.

    Raises:
        InputError: The dataset is not where the recipe says, or is empty.
    """
    config = recipe.dataset
    dataset = datasets.create(
        config.name, split=split, root=config.root, classes=config.classes, **config.options
    )
    if not len(dataset):
        reasons = "".join(f"; {id}: {reason}" for id, reason in list(dataset.set_aside.items())[:3])
        raise InputError(f"dataset `{config.name}` has no usable image in split `{split}`{reasons}")
    return dataset if masks else dataset.without_masks()


def checked(recipe: Recipe, split: str, folder: Path, masks: bool = False) -> tuple[Dataset, dict[str, str]]:
    """Open a split less its unusable images; every file is decoded once, and the outcome kept in `folder`.

    With masks, an image whose mask is broken or of another size is set aside too.

    Args:
        recipe: Names the dataset.
        split: Which part of it.
        folder: The run's `data` directory.
        masks: As of `open_split`.

    Returns:
        The usable images, and what was set aside, `id -> reason`.

    Raises:
        InputError: No image is usable.
    """
    dataset = open_split(recipe, split, masks)
    identity = identity_of(dataset)
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', split)}{'_masks' if masks else ''}.json"
    known = read_json(path) if path.exists() else {}
    if known.get("fingerprint") != identity:
        with bar(f"checking {split} {'masks' if masks else 'images'}", len(dataset)) as advance:
            _, broken = check_images(list(dataset), progress=lambda record: advance())
        broken |= _broken_masks(dataset, broken) if masks else {}
        known = {"fingerprint": identity, "split": split, "images": len(dataset), "set_aside": broken}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, known)
    broken = known["set_aside"]
    kept = [record.id for record in dataset if record.id not in broken]
    if not kept:
        first, reason = next(iter(broken.items()))
        raise InputError(f"no image of split `{split}` can be used; the first, `{first}`: {reason}")
    return dataset.subset(kept), dataset.set_aside | broken


def _broken_masks(dataset: Dataset, skip: Container[str]) -> dict[str, str]:
    broken = {}
    for record in dataset:
        if record.mask is not None and record.id not in skip:
            try:
                dataset.read_mask(record)
            except InputError as error:
                broken[record.id] = str(error)
    return broken


def fingerprint(recipe: Recipe, part: str) -> str | None:
    """Return a short hash of a part of the dataset that a stage's outcome depends on.

    Args:
        recipe: Names the dataset.
        part: `train`, `val` or `calibration`, each also with `_masks`.

    Returns:
        The hash, or None where the recipe does not use that part.
    """
    name, _, masks = part.partition("_")
    if name == "calibration":
        if recipe.label.threshold.rule != "calibration" or recipe.segment.train_on == "true_masks":
            return None
        split = recipe.label.threshold.split
    else:
        split = getattr(recipe.dataset, name)
    return identity_of(open_split(recipe, split, masks=bool(masks)))


def identity_of(dataset: Dataset) -> str:
    """Hash what is in a dataset, and the sizes of its mask and instance files: a corrected mask is scored anew."""
    sizes = []
    for record in dataset:
        for path in (record.mask, record.instances):
            if path is not None:
                try:
                    sizes.append(path.stat().st_size)
                except OSError:
                    sizes.append(None)  # gone; `checked` sets the image aside and says so
    return digest([dataset.fingerprint(), sizes]) if sizes else dataset.fingerprint()


def check_calibration(recipe: Recipe) -> None:
    """Fail where the background level would be chosen on images that are pseudo-labelled, or on no masks.

    Raises:
        InputError: `label.threshold.split` shares images with the training split, or has no masks.
    """
    name = recipe.label.threshold.split
    train = {record.image.resolve() for record in open_split(recipe, recipe.dataset.train)}
    calibration = open_split(recipe, name, masks=True)
    if shared := train & {record.image.resolve() for record in calibration}:
        raise InputError(
            f"`label.threshold.split`: `{name}` shares {len(shared)} images with the training split "
            f"`{recipe.dataset.train}`, such as {min(shared)}; the level must be chosen on other images"
        )
    if all(record.mask is None for record in calibration):
        raise InputError(
            f"`label.threshold.split`: no image of `{name}` has a mask to calibrate the level on; "
            "use `label.threshold.rule: otsu` or fixed"
        )


def calibration_split(recipe: Recipe, folder: Path, masks: bool = False) -> Dataset:
    """Open the images that the background level is chosen on: the same ones with and without their masks.

    Returns:
        `label.threshold.images` records of `label.threshold.split` with masks, drawn by the recipe's seed.

    Raises:
        InputError: No image of the split has a usable mask.
    """
    import numpy as np

    name = recipe.label.threshold.split
    dataset, _ = checked(recipe, name, folder, masks=True)
    ids = [record.id for record in dataset if record.mask is not None]
    if not ids:
        raise InputError(
            f"`label.threshold.split`: no image of `{name}` has a mask to calibrate the level on"
        )
    count = min(recipe.label.threshold.images, len(ids))
    chosen = np.random.default_rng(recipe.seed).choice(len(ids), count, replace=False)
    dataset = dataset.subset(ids[int(index)] for index in chosen)
    return dataset if masks else dataset.without_masks()


def weights_fingerprint(weights: str | None) -> str | None:
    """Return what identifies initial weights: a file's content, not its path.

    Raises:
        InputError: The file does not exist.
    """
    import hashlib

    if weights is None or weights in ("imagenet", "preset", "classifier"):
        return weights
    path = Path(weights).expanduser()
    try:
        with path.open("rb") as file:
            return digest(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise InputError(
            f"weights file {path} cannot be read ({error.strerror}); give an existing file"
        ) from error
