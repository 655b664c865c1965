"""Class names from a text file, for commands that take a model without its own."""

from pathlib import Path

from wsseg.errors import InputError


def read_class_names(path: Path | None) -> list[str] | None:
    """Read one class name per line.

    Raises:
        InputError: The file can't be read.
    """
    if path is None:
        return None
    try:
        return path.read_text().strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--class-names {path} cannot be read ({error}); give a text file, one name per line"
        ) from error
