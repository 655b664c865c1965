"""Check of some masks that a run will score or train on, before the first stage runs."""

from wsseg.datasets import Dataset
from wsseg.datasets.class_folder_options import spread
from wsseg.datasets.mask_agreement import OWN_LABELS, compare
from wsseg.errors import InputError
from wsseg.recipe.decisions import fully_supervised
from wsseg.supervision.splits import Splits

SAMPLE = 48
"""Number of masks of a split that are read."""


def check_masks(splits: Splits) -> None:
    """Raise an error if masks of the user's own cannot be read, or number the classes in another way than the labels.

    It reads masks of the validation split, and of the training split only where these are trained on.

    Raises:
        InputError: No mask of the sample can be read, or most contradict the labels of their images; the message names
            an image and what to set.
    """
    recipe = splits.recipe
    if recipe.dataset.name not in OWN_LABELS:
        return
    names = [recipe.dataset.val]
    if fully_supervised(recipe) or recipe.ceiling:
        names.append(recipe.dataset.train)
    for name in dict.fromkeys(names):
        _check_split(splits.open(name, masks=True))


def _check_split(dataset: Dataset) -> None:
    sample = spread([record for record in dataset if record.mask is not None], SAMPLE)
    found = compare(dataset, sample)
    if sample and not found.pairs:
        first = next(iter(found.unread.values()))
        raise InputError(f"no mask of split `{dataset.split}` can be read; the first: {first}")
    if 2 * len(found.contradictions) > len(found.pairs):
        name, why = next(iter(found.contradictions.items()))
        raise InputError(
            f"{len(found.contradictions)} of {len(found.pairs)} masks of split `{dataset.split}` contradict the labels "
            f"of their images, such as `{name}`: {why}; {found.advice}"
        )
