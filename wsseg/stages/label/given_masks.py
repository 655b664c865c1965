"""The true masks that are given for some training images and replace their pseudo-masks."""

from collections.abc import Collection
from pathlib import Path

from wsseg.artifacts import read_json, write_json, write_mask
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import GIVEN_MASKS, MASKS
from wsseg.progress import bar
from wsseg.stages.label.corrected import corrected_ids
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import with_given_masks


def write_given_masks(
    splits: Splits, train: Dataset, out: Path, corrected: Collection[str] = ()
) -> tuple[set[str], dict[str, str]]:
    """Write the given masks as `masks/ID.png`, and the images' ids as `given_masks.json`. No other mask is opened.

    Args:
        splits: Splits of the dataset, and the recipe that gives the share of images with masks.
        train: Usable training images.
        out: Folder of the label stage.
        corrected: Ids of images whose corrected mask is used instead.

    Returns:
        Ids of the images with a given mask, and `id -> reason` for drawn images whose mask cannot be used. The latter
        are treated like all other images.

    Raises:
        InputError: No drawn mask can be used, and the other images have no pseudo-masks.
    """
    given = with_given_masks(splits)
    if given is None:
        return set(), {}
    known = {record.id for record in train}
    kept, reasons = [], {}
    with bar("given masks", len(given)) as advance:
        for record in given:
            if record.id in known and record.id not in corrected:
                try:
                    write_mask(out / MASKS / f"{record.id}.png", given.read_mask(record))
                    kept.append(record.id)
                except InputError as error:
                    reasons[record.id] = f"drawn as an image with a given mask, but {error}"
            advance()
    if not kept and not corrected and splits.recipe.supervision.rest != "pseudo_masks":
        raise InputError(
            f"none of the {len(given)} given masks can be used: {next(iter(reasons.values()), '')}"
        )
    write_json(out / GIVEN_MASKS, kept)
    return set(kept), reasons


def given_ids(folder: Path) -> set[str]:
    """Return the ids of the images in a label stage's folder whose masks were given, or corrected by hand."""
    path = folder / GIVEN_MASKS
    return corrected_ids(folder) | set(read_json(path, list) if path.exists() else ())
