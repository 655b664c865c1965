"""Check of some masks that a run will score or train on, before the first stage runs."""

from wsseg.datasets import Dataset
from wsseg.datasets.class_folder_options import spread
from wsseg.datasets.mask_agreement import OWN_LABELS, compare
from wsseg.datasets.turned_masks import why_turned
from wsseg.errors import InputError
from wsseg.image_files import stored_size_hw
from wsseg.recipe.decisions import fully_supervised
from wsseg.supervision.splits import Splits

SAMPLE = 48
"""Number of masks of a split that are read."""


def check_masks(splits: Splits) -> None:
    """Raise an error if masks of the user's own cannot be read, or number the classes in another way than the labels.

    Masks drawn on the stored pixels of photographs that are shown turned are refused too.

    It reads masks of the validation split, and of the training split only where these are trained on.

    Raises:
        InputError: No mask of the sample can be read, or most contradict the labels of their images; the message names
            an image and what to set.
    """
    recipe = splits.recipe
    names = [recipe.dataset.val]
    if fully_supervised(recipe) or recipe.ceiling:
        names.append(recipe.dataset.train)
    for name in dict.fromkeys(names):
        dataset = splits.open(name, masks=True)
        if recipe.dataset.name in OWN_LABELS:
            _check_labels(dataset)
        _check_turned(dataset)


def _check_turned(dataset: Dataset) -> None:
    """Raise an error if most masks of images that are shown turned fit the stored pixels."""
    files = [record for record in dataset if record.mask not in (None, record.image)]
    found = []
    for record in spread(files, SAMPLE):
        try:
            if stored_size_hw(record.image)[1] != 1:
                why = why_turned(record.image, dataset.read_image(record), dataset.read_mask(record))
                found.append((record, why))
        except InputError:
            continue  # said where it is read
    wrong = [(record, why) for record, why in found if why]
    if 2 * len(wrong) > len(found):
        record, why = wrong[0]
        raise InputError(
            f"{len(wrong)} masks of split `{dataset.split}` do not fit their images, such as {record.mask}: {why}"
        )


def _check_labels(dataset: Dataset) -> None:
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
