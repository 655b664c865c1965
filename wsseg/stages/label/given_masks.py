"""The true masks that some training images come with, in the place of pseudo-masks."""

from pathlib import Path

from wsseg.artifacts import read_json, write_json, write_mask
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import GIVEN_MASKS, MASKS
from wsseg.progress import bar
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import with_given_masks


def write_given_masks(splits: Splits, train: Dataset, out: Path) -> tuple[set[str], dict[str, str]]:
    """Write the given masks as `masks/ID.png`, and the images' ids as `given_masks.json`; open no other mask.

    Args:
        splits: The dataset's splits, and the recipe that says how many images come with masks.
        train: The usable training images.
        out: The label stage's folder.

    Returns:
        The ids, and why a drawn mask cannot be used: that image is one of the others.

    Raises:
        InputError: The others are left out, and no drawn mask can be used.
    """
    given = with_given_masks(splits)
    if given is None:
        return set(), {}
    known = {record.id for record in train}
    kept, reasons = [], {}
    with bar("given masks", len(given)) as advance:
        for record in given:
            if record.id in known:
                try:
                    write_mask(out / MASKS / f"{record.id}.png", given.read_mask(record))
                    kept.append(record.id)
                except InputError as error:
                    reasons[record.id] = f"drawn to come with its mask, but {error}"
            advance()
    if not kept and splits.recipe.supervision.rest != "pseudo_masks":
        raise InputError(
            f"none of the {len(given)} given masks can be used: {next(iter(reasons.values()), '')}"
        )
    write_json(out / GIVEN_MASKS, kept)
    return set(kept), reasons


def given_ids(folder: Path) -> set[str]:
    """Return the images of a label stage's folder that came with their masks."""
    path = folder / GIVEN_MASKS
    return set(read_json(path)) if path.exists() else set()
