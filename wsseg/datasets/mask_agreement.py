"""Compare what masks hold with what the labels of their images say."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.errors import InputError

OWN_LABELS = ("folder",)
"""Datasets whose labels people write beside the masks. Other datasets take them from the annotations."""

Pair = tuple[frozenset[str], frozenset[str]]
"""Labels of an image, and the classes with a pixel in its mask."""


def contradiction(labels: Collection[str], present: Collection[str], unsure: bool) -> str | None:
    """Say how an image's labels and its mask contradict each other; None if they do not.

    Args:
        labels: Labels of the image.
        present: Classes with a pixel in its mask.
        unsure: Whether the mask has pixels that are not scored: a labelled class may be there.

    Example:
        >>> contradiction(["dog"], ["cat"], False)
        'labelled `dog`, but its mask has `cat`'
        >>> contradiction(["dog"], [], False), contradiction(["dog"], [], True), contradiction(["dog"], ["dog"], False)
        ('labelled `dog`, but its mask has no class', None, None)
    """
    extra = sorted(set(present) - set(labels))
    absent = sorted(set(labels) - set(present))
    if not extra and (unsure or not absent):
        return None
    said = ", ".join(f"`{name}`" for name in sorted(labels)) or "nothing"
    has = ", ".join(f"`{name}`" for name in sorted(present)) or "no class"
    return f"labelled {said}, but its mask has {has}"


def fitting_order(pairs: Sequence[Pair], classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the order of classes with which labels and masks of all images agree; None if there is not just one.

    Args:
        pairs: Labels and classes in the mask, per image.
        classes: Classes in the order by which the masks were read.

    Example:
        >>> dog, cat = frozenset(["dog"]), frozenset(["cat"])
        >>> fitting_order([(dog, cat), (cat, dog)], ["cat", "dog"])
        ('dog', 'cat')
    """
    of_label = {name: tuple(name in labels for labels, _ in pairs) for name in classes}
    of_mask = {name: tuple(name in present for _, present in pairs) for name in classes}
    order = []
    for name in classes:
        fits = [label for label in classes if of_label[label] == of_mask[name]]
        if len(fits) != 1:
            return None
        order.append(fits[0])
    return tuple(order) if len(set(order)) == len(order) else None


@dataclass
class Comparison:
    """The labels of some images, compared with their masks.

    Attributes:
        classes: Classes of the dataset.
        pairs: Labels and classes in the mask, of each image whose mask could be read.
        contradictions: Image id -> how its labels and its mask contradict each other.
        unread: Image id -> why its mask cannot be read.
    """

    classes: tuple[str, ...]
    pairs: list[Pair] = field(default_factory=list)
    contradictions: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        """What to do about the contradictions."""
        return advice(self.pairs, self.classes)


def compare(dataset: Dataset, records: Iterable[Record]) -> Comparison:
    """Read the masks of records, and compare them with the labels."""
    found = Comparison(dataset.classes)
    for record in records:
        try:
            values = np.unique(dataset.read_mask(record)).tolist()
        except InputError as error:
            found.unread[record.id] = str(error)
            continue
        present = frozenset(dataset.classes[value - 1] for value in values if value not in (0, IGNORE))
        found.pairs.append((frozenset(record.labels), present))
        if why := contradiction(record.labels, present, IGNORE in values):
            found.contradictions[record.id] = why
    return found


def advice(pairs: Sequence[Pair], classes: Sequence[str]) -> str:
    """Return what to do about labels and masks that contradict each other, in words."""
    order = fitting_order(pairs, classes)
    if order is not None:
        return f"the masks number the classes in another order: set `classes: [{', '.join(order)}]`"
    numbers = ", ".join(f"{number} {name}" for number, name in list(enumerate(classes, 1))[:6])
    return (
        f"the values of masks are read as {numbers}{' ...' if len(classes) > 6 else ''}: if they mean something else, "
        "set `classes` in the order of the values, or `mask_values`; else correct labels or masks"
    )
