"""Names of a model's classes."""

from collections.abc import Sequence

from wsseg.errors import InputError

BACKGROUND = "background"
"""Name of mask id 0."""


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
