"""Names of a model's classes."""

from collections import Counter
from collections.abc import Sequence

from wsseg.errors import InputError

BACKGROUND = "background"
"""Name of mask id 0."""

BACKGROUND_NAMES = frozenset({"background", "_background_", "__background__", "bg", "backgr"})
"""Names that tools give to mask id 0, in lower case."""

NO_CLASS_NAMES = frozenset({"void", "ignore", "ignored", "unlabeled", "unlabelled", "none", "nothing"})
"""Names that tools give to mask id 0 or to 255, in lower case."""

MOST_CLASSES = 254
"""Largest number of foreground classes: masks have 8 bits, 0 is the background and 255 marks unsure pixels."""


def foreground_names(
    names: Sequence[str], option: str, first_may_be_background: bool = False
) -> tuple[str, ...]:
    """Check the names of foreground classes, for mask ids 1, 2, ...

    Args:
        names: The names, in mask-id order.
        option: Where they were given, for the message.
        first_may_be_background: Whether the first name may be that of mask id 0; it is then left out.

    Raises:
        InputError: A name is empty or appears twice, the background is named where it must not be, or there are no
            names or more than 254.

    Example:
        >>> foreground_names(["background", "cat", "dog"], "--classes", first_may_be_background=True)
        ('cat', 'dog')
    """
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{option} must hold names of classes; got {name!r}; put numbers in quotes")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{option} names `{repeated[0]}` twice; name each class once")
    names = tuple(names)
    if first_may_be_background and names and names[0].lower() in BACKGROUND_NAMES:
        names = names[1:]
    elif first_may_be_background and names and names[0].lower() in NO_CLASS_NAMES:
        raise InputError(
            f"{option}: is `{names[0]}` mask id 0, id 1 or 255? Write `background` for it if it is 0, leave it out if "
            "it is 255, and write `background` before it if it is 1"
        )
    if named := [name for name in names if name.lower() in BACKGROUND_NAMES]:
        raise InputError(
            f"{option} names `{named[0]}`, which is mask id 0 and no class of its own; remove it: the first name that "
            "is left has mask id 1"
        )
    if not names:
        raise InputError(f"{option} names no class; give at least one")
    if len(names) > MOST_CLASSES:
        raise InputError(
            f"{option} names {len(names)} classes; masks of 8 bits hold {MOST_CLASSES} at most, as 0 is the background "
            "and 255 marks unsure pixels; join or leave out some"
        )
    return names


def check_class_names(names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    """Return class names as a tuple; None stays None.

    Args:
        names: Names of a model's classes, in the order of its outputs.
        count: Number of classes of the model, the background included where it is one of them.

    Raises:
        InputError: Too few or too many names, a name twice, or one that is no text.

    Example:
        >>> check_class_names(["background", "cat"], 2)
        ('background', 'cat')
    """
    if names is None:
        return None
    fits = not isinstance(names, str) and all(isinstance(name, str) and name for name in names)
    if not fits or len(names) != count or len(set(names)) != count:
        raise InputError(
            f"`class_names` must be {count} different names, one per output of the model (of a segmenter or a "
            f"detector the background first); got {names!r}"
        )
    return tuple(names)


def numbered_names(count: int, with_background: bool) -> tuple[str, ...]:
    """Return names for a model that does not know its own: the mask ids.

    Example:
        >>> numbered_names(3, with_background=True), numbered_names(2, with_background=False)
        (('background', 'class 1', 'class 2'), ('class 1', 'class 2'))
    """
    if with_background:
        return (BACKGROUND, *numbered_names(count - 1, with_background=False))
    return tuple(f"class {number}" for number in range(1, count + 1))
