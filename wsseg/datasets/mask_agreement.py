"""Compare what masks hold with what the labels of their images say."""

from collections.abc import Collection, Sequence

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
