"""Signs that a result is wrong, as lines for the user. They stop no stage."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsseg.class_names import BACKGROUND
from wsseg.datasets import Dataset, Record
from wsseg.datasets.mask_agreement import OWN_LABELS, compare

CHANCE = 0.1
"""A mean average precision below this share of the way from chance to 1 is near chance."""

FOREGROUND = (0.005, 0.95)
"""Usual range of the mean foreground share of pseudo-masks, over images that have a label."""

EMPTY = 0.5
"""Share of images with an empty prediction from which on there is a warning; a few images have only tiny objects."""


def near_chance(mean: float | None, labels: np.ndarray) -> tuple[str, ...]:
    """Return a warning if a classifier ranks images hardly better than chance.

    Args:
        mean: Mean average precision in [0, 1], or None if it could not be measured.
        labels: `(N, K)` labels in {0, 1} of the images on which it was measured.

    Example:
        >>> near_chance(0.52, np.array([[1, 0], [0, 1]]))[0][:38]
        'val mAP 0.520 is near chance (0.500), '
        >>> near_chance(0.9, np.array([[1, 0], [0, 1]]))
        ()
    """
    shares = labels.mean(axis=0)
    if mean is None or not shares.any():
        return ()
    chance = float(
        shares[shares > 0].mean()
    )  # a random order has the class's share of images as its precision
    if chance == 1 or mean - chance >= CHANCE * (1 - chance):
        return ()
    return (
        f"val mAP {mean:.3f} is near chance ({chance:.3f}), so the class maps cannot show the classes; start from "
        "pretrained weights (`classify.weights`), or try more `classify.epochs`",
    )


def foreground_out_of_range(shares: Sequence[float]) -> tuple[str, ...]:
    """Return a warning if pseudo-masks are nearly all background or nearly all foreground.

    Args:
        shares: Share of foreground pixels in [0, 1], for each image that has a label.

    Example:
        >>> foreground_out_of_range([0.99, 1.0])[0][:55]
        'foreground is 99.5 % of the pixels of the pseudo-masks '
        >>> foreground_out_of_range([0.0, 0.5])
        ()
    """
    low, high = FOREGROUND
    if not len(shares) or low <= np.mean(shares) <= high:
        return ()
    return (
        f"foreground is {100 * np.mean(shares):.1f} % of the pixels of the pseudo-masks of labelled images; if their "
        "objects are not like that, try another level (`label.threshold`), and look at the class maps in the report",
    )


def unscored_classes(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a warning for each split in which a class has no scored true pixel.

    Args:
        scores: Rows of `scores.json`.

    Example:
        >>> unscored_classes({"segmenter": {"split": "val", "classes_without_truth": ["background", "dog"]}})[0][:59]
        'no true mask of split `val` has a scored pixel of dog: the '
    """
    absent: dict[str, list[str]] = {}
    for row in scores.values():
        if isinstance(row, Mapping) and "classes_without_truth" in row:
            absent[row["split"]] = [name for name in row["classes_without_truth"] if name != BACKGROUND]
    return tuple(
        f"no true mask of split `{split}` has a scored pixel of {', '.join(names)}: the scores say nothing about "
        f"{'it' if len(names) == 1 else 'them'}"
        for split, names in absent.items()
        if names
    )


def contradicted_labels(dataset: Dataset) -> tuple[str, ...]:
    """Return a warning if masks of the user's own contradict the labels of their images. It opens the masks."""
    if dataset.name not in OWN_LABELS:
        return ()
    found = compare(dataset, (record for record in dataset if record.mask is not None)).contradictions
    if not found:
        return ()
    name, why = next(iter(found.items()))
    return (
        f"masks of {len(found)} of {len(dataset)} images of split `{dataset.split}` contradict their labels, such as "
        f"`{name}`: {why}; `wsseg datasets check` says more",
    )


def classes_without_images(dataset: Dataset) -> tuple[str, ...]:
    """Return a warning if no training image shows a class."""
    shown = {label for record in dataset for label in record.labels}
    if not (absent := [name for name in dataset.classes if name not in shown]):
        return ()
    return (f"no training image has the label {', '.join(absent)}, so it cannot be learnt",)


class EmptyPredictions:
    """Count of images without any predicted object, and the classes that no prediction has.

    Args:
        dataset: The dataset whose images are predicted.

    Attributes:
        labelled: Number of images that have a label.
        empty: Number of these whose prediction is background only.
    """

    def __init__(self, dataset: Dataset):
        self.classes = dataset.classes
        self.labelled, self.empty = 0, 0
        self._present: set[str] = set()
        self._predicted: set[int] = set()

    def add(self, record: Record, prediction: np.ndarray) -> None:
        """Add one image with its prediction, `(H, W) uint8`, 0 = background."""
        ids = {int(one) for one in np.unique(prediction) if 0 < one <= len(self.classes)}
        self._predicted |= ids
        self._present |= set(record.labels)
        if record.labels:
            self.labelled += 1
            self.empty += not ids

    def warnings(self, name: str) -> tuple[str, ...]:
        """Return the warnings about the predictions of the network `name`."""
        predicted = {self.classes[one - 1] for one in self._predicted}
        never = [one for one in self.classes if one in self._present - predicted]
        found = []
        if self.empty and self.empty >= EMPTY * self.labelled:
            found.append(
                f"predictions of the {name} are all background in {self.empty} of {self.labelled} images that have a "
                "label; look at the pseudo-masks in the report, or try more `segment.epochs`"
            )
        if never and predicted:  # else the line above says it
            found.append(
                f"class{'es' if never[1:] else ''} {', '.join(never)}: never predicted by the {name}, though "
                f"validation images have {'them' if never[1:] else 'it'}"
            )
        return tuple(found)
