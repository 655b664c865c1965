"""The order of a dataset's classes, as a file beside its images states it."""

from pathlib import Path

from wsseg.class_names import foreground_names
from wsseg.errors import InputError
from wsseg.file_names import CLASS_NAMES


def class_order(root: Path) -> tuple[str, ...] | None:
    """Return the names in `ROOT/classes.txt`, one per line, in mask-id order; None if there is no such file.

    The first line may be the background.

    Raises:
        InputError: The file cannot be read, is empty, or names a class twice.
    """
    path = root / CLASS_NAMES
    if not path.is_file():
        return None
    try:
        names = [name.strip() for name in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); expected one class name per line, in UTF-8"
        ) from error
    while names and not names[-1]:
        names.pop()
    return foreground_names(names, str(path), first_may_be_background=True)
