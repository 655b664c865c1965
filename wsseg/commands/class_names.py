"""Class names from a text file, for commands that take a model without its own."""

from pathlib import Path

from wsseg.errors import InputError


def read_class_names(path: Path | None) -> list[str] | None:
    """Read one class name per line, without the spaces around it.

    Raises:
        InputError: The file can't be read, or has an empty line between names.
    """
    if path is None:
        return None
    try:
        names = [name.strip() for name in path.read_text(encoding="utf-8-sig").strip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--class-names {path} cannot be read ({error}); give a text file, one name per line"
        ) from error
    if "" in names:
        raise InputError(
            f"--class-names {path}: the line between `{names[names.index('') - 1]}` and the next name is empty, and "
            "would be the name of an output; remove it"
        )
    return names
