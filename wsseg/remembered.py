"""JSON files by which a stopped process goes on: one that is damaged costs time, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wsseg.artifacts import read_json
from wsseg.errors import InputError
from wsseg.progress import note

Content = TypeVar("Content", dict, list)


def remembered(path: Path, form: type[Content], whole: Callable[[Content], bool]) -> Content | None:
    """Read a JSON file that an earlier, stopped process left; one that is damaged is deleted, with a note.

    Args:
        path: The file; it may not exist.
        form: `dict` or `list`.
        whole: Function that tells whether the content is complete. It may raise an error for a wrong one.

    Returns:
        The content, or None if it must be computed.
    """
    if not path.exists():
        return None
    try:
        content = read_json(path)
        if isinstance(content, form) and whole(content):
            return content
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        pass
    note(f"{path} is damaged; what it held is computed again")
    path.unlink()
    return None
