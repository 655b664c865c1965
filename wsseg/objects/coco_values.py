"""Values of COCO's JSON files as tools write them: ids, numbers and file names, and the file itself."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from wsseg.errors import InputError

WHOLE = re.compile(r"0|-?[1-9][0-9]{0,99}")
"""Whole number as text; Python reads no number of thousands of digits."""


def read_coco_json(
    path: Path, expected: str, object_hook: Callable[[dict[str, Any]], Any] | None = None
) -> Any:
    """Read a JSON file in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.

    Args:
        path: The file.
        expected: What the file should be, for the error message.
        object_hook: See `json.loads`.

    Raises:
        InputError: The file is missing, is not text, or is not JSON; the message names it.
    """
    try:
        return json.loads(path.read_bytes(), object_hook=object_hook)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); expected {expected}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not valid JSON ({error}); save it in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); is the download complete?") from error


def whole(value: Any) -> int | None:
    """Return a whole number that may be written as 3, 3.0 or "3"; None for anything else.

    Example:
        >>> whole(3), whole(3.0), whole("3"), whole(3.5), whole("03"), whole(True)
        (3, 3, 3, None, None, None)
        >>> whole("-7"), whole("--7"), whole("9" * 5000)
        (-7, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        text = value.strip().removesuffix(".0")
        return int(text) if WHOLE.fullmatch(text) else None
    return None


def number(value: Any) -> float | None:
    """Return a finite number that may be written as text; None for anything else.

    Example:
        >>> number(2.5), number(" 2.5"), number("nan"), number(None), number(True)
        (2.5, 2.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def id_of(value: Any) -> int | str | None:
    """Return the id of an image: a whole number if it is one, else the text; None for anything else.

    Example:
        >>> id_of("139"), id_of(139.0), id_of("a7"), id_of([1])
        (139, 139, 'a7', None)
    """
    found = whole(value)
    return (value.strip() or None) if found is None and isinstance(value, str) else found


def is_marked(value: Any) -> bool:
    """Return whether a mark such as `iscrowd` is set: 1, 1.0, "1" or true.

    Example:
        >>> is_marked(1), is_marked("0"), is_marked(True), is_marked(None)
        (True, False, True, False)
    """
    return value is True or bool(whole(value))


def forward(file_name: str) -> str:
    r"""Return a file name with forward slashes, as Windows tools write backslashes.

    Example:
        >>> forward(r"C:\images\a.jpg")
        'C:/images/a.jpg'
    """
    return file_name.replace("\\", "/")


def path_name_of(file_name: str) -> str:
    r"""Return the whole path of a file name without extension, with `__` for slashes.

    Example:
        >>> path_name_of(r".\a\b.jpg"), path_name_of("C:/images/a.jpg"), path_name_of("../a.jpg")
        ('a__b', 'images__a', 'a')
    """
    path = PurePosixPath(forward(file_name))
    parts = [part for part in path.parts[:-1] if part not in ("/", ".", "..") and not part.endswith(":")]
    return "__".join([*parts, path.stem])


def stem_of(file_name: str) -> str:
    r"""Return the last part of a file name without the extension.

    Example:
        >>> stem_of(r"images\a.b.jpg")
        'a.b'
    """
    return PurePosixPath(forward(file_name)).stem
