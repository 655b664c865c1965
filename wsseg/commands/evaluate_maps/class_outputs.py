"""The outputs of a model that belong to each class of a dataset."""

import re
from collections.abc import Sequence
from pathlib import Path

from wsseg.errors import InputError, nearest


def class_outputs(
    classes: Sequence[str], count: int, names: Sequence[str] | None, class_map: Path | None = None
) -> dict[str, tuple[int, ...]]:
    """Return the outputs of each class.

    A model that was trained on other classes (ImageNet has 118 dogs) needs a class map: a text file with one line per
    class, such as `dog: 151-268` or `cat: tabby, tiger_cat, 283`. A range includes both ends. The file may have only
    some classes of the dataset; labels of the others are not explained. Lines that start with # are comments.

    Args:
        classes: Class names of the dataset.
        count: Number of outputs of the model.
        names: Names of the outputs, or None if they have no names.
        class_map: File of the class map, or None. Without it, a class belongs to the output with the same name (case,
            spaces, `-` and `_` do not matter); outputs without names are the dataset's classes in order.

    Returns:
        Class -> its outputs, at least one.

    Raises:
        InputError: Outputs and classes cannot be matched, or the file is wrong; the message gives the line and the
            nearest name.

    Example:
        >>> class_outputs(["cat", "guinea pig"], 2, ["Guinea_Pig", "cat"])
        {'cat': (1,), 'guinea pig': (0,)}
    """
    if names is not None and len(names) != count:
        raise InputError(f"{len(names)} class names were given for a model with {count} classes")
    if class_map is not None:
        return _read(class_map, classes, count, names)
    hint = (
        "name the outputs of each class with --class-map, or explain the model's top class, and score it with all "
        "objects, with --targets top"
    )
    if names is None:
        if count != len(classes):
            raise InputError(
                f"the model has {count} outputs without names and the dataset {len(classes)} classes "
                f"({', '.join(classes[:5])}{' ...' if len(classes) > 5 else ''}); give --class-names, or {hint}"
            )
        return {name: (index,) for index, name in enumerate(classes)}
    index_of = {_plain(name): index for index, name in reversed(list(enumerate(names)))}
    missing = [name for name in classes if _plain(name) not in index_of]
    if missing:
        raise InputError(f"the model has no output for the dataset's class {', '.join(missing[:5])}; {hint}")
    plain = [_plain(name) for name in names]
    if repeated := [name for name in classes if plain.count(_plain(name)) > 1]:
        raise InputError(f"several outputs of the model are called `{repeated[0]}`; {hint}")
    return {name: (index_of[_plain(name)],) for name in classes}


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip().lower())


def _read(
    path: Path, classes: Sequence[str], count: int, names: Sequence[str] | None
) -> dict[str, tuple[int, ...]]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--class-map {path} cannot be read ({error}); give lines such as `dog: 151-268`"
        ) from error
    found: dict[str, tuple[int, ...]] = {}
    known = {_plain(name): name for name in classes}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"--class-map {path}, line {number}"
        name, colon, outputs = line.partition(":")
        if not colon or not outputs.strip():
            raise InputError(
                f"{where}: expected `class: outputs` such as `dog: 151-268`; got {line.strip()!r}"
            )
        if _plain(name) not in known:
            raise InputError(
                f"{where}: the dataset has no class `{name.strip()}`; {nearest(name.strip(), classes)}"
            )
        if known[_plain(name)] in found:
            raise InputError(f"{where}: class `{name.strip()}` has a line already; write one line per class")
        indices = [
            index for word in outputs.split(",") for index in _indices(word.strip(), count, names, where)
        ]
        found[known[_plain(name)]] = tuple(dict.fromkeys(indices))
    if not found:
        raise InputError(f"--class-map {path} has no line; expected lines such as `dog: 151-268`")
    return found


def _indices(word: str, count: int, names: Sequence[str] | None, where: str) -> Sequence[int]:
    by_name = [index for index, name in enumerate(names or ()) if _plain(name) == _plain(word)]
    if by_name:
        return by_name[:1]
    numbers = re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", word)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        if first <= last < count:
            return range(first, last + 1)
        raise InputError(f"{where}: `{word}` is not among the model's outputs 0..{count - 1}")
    if names is None:
        raise InputError(
            f"{where}: the model's outputs have no names, so `{word}` is unknown; give its number, or --class-names"
        )
    hint = nearest(word, names)
    raise InputError(
        f"{where}: the model has no output `{word}`; {hint if len(hint) < 200 else 'check the spelling'}"
    )
