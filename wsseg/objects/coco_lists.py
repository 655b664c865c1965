"""The images and categories of a COCO annotation file, checked."""

from pathlib import Path
from typing import Any

from wsseg.errors import InputError
from wsseg.objects.coco_values import id_of, whole


def categories_of(path: Path, entries: list[Any], annotations: list[Any]) -> dict[int, str]:
    """Read the list of categories.

    Args:
        path: The file, for messages.
        entries: The categories.
        annotations: The annotations, by which a heading is told from a class: a category that is the supercategory of
            all others, and that no annotation has, is left out.

    Returns:
        Category id -> name, in order of id.

    Raises:
        InputError: There is none, one has no id or name, or two have the same.
    """
    found: dict[int, str] = {}
    above: dict[int, Any] = {}
    for entry in entries:
        given, name = values_of(path, "categories", entry, ("id", "name"))
        identity, name = whole(given), str(name).strip() if isinstance(name, str | int) else ""
        if identity is None or not name or identity in found:
            raise InputError(
                f"{path}: a category needs a unique whole number as `id` and a `name`; got {str(entry)[:120]}"
            )
        if name in found.values():
            raise InputError(f"{path}: `categories` names `{name}` twice; give each category its own name")
        found[identity], above[identity] = name, entry.get("supercategory")
    if not found:
        raise InputError(f"{path} has no category")
    used = {whole(entry.get("category_id")) for entry in annotations if isinstance(entry, dict)}
    for identity, name in list(found.items()):
        others = [above[other] for other in found if other != identity]
        if (
            others
            and identity not in used
            and above[identity] in (None, "", "none")
            and set(others) == {name}
        ):
            del found[identity]
    return dict(sorted(found.items()))


MOST_PIXELS = 2**30
"""Largest number of pixels of an image; a file that states more is broken."""


def images_of(
    path: Path, entries: list[Any]
) -> tuple[dict[int | str, str], dict[int | str, tuple[int, int]], dict[str, str]]:
    """Read the list of images.

    Returns:
        Image id -> file name, "" if it has none; image id -> height and width; and the images without an id or a name,
        `image -> reason`. Those without an id are in neither of the first two.

    Raises:
        InputError: An image has no size, or two have one id.
    """
    names: dict[int | str, str] = {}
    sizes: dict[int | str, tuple[int, int]] = {}
    unnamed: dict[str, str] = {}
    for row, entry in enumerate(entries):
        height, width = map(whole, values_of(path, "images", entry, ("height", "width")))
        if height is None or width is None or min(height, width) <= 0:
            raise InputError(
                f"{path}, images[{row}]: an image needs `height` and `width` in pixels; got {str(entry)[:200]}"
            )
        if height * width > MOST_PIXELS:
            raise InputError(
                f"{path}, images[{row}]: an image of {height} x {width} (height x width) has more pixels than can be "
                "read"
            )
        identity, name = id_of(entry.get("id")), entry.get("file_name")
        name = name if isinstance(name, str) else ""
        if identity is None:
            unnamed[name or f"images[{row}]"] = f"{path.name} gives it no usable `id`: {entry.get('id')!r}"
            continue
        if identity in sizes:
            if names[identity] == name and sizes[identity] == (height, width):
                continue  # the same entry again, as files that were merged have it
            raise InputError(
                f"{path}, images[{row}]: two images have the id {identity!r}, so the image id is not unique; "
                "give each image its own id"
            )
        names[identity], sizes[identity] = name, (height, width)
        if not name:
            unnamed[f"image {identity}"] = f"{path.name} gives it no `file_name`"
    return names, sizes, unnamed


def values_of(path: Path, part: str, entry: Any, keys: tuple[str, ...]) -> list[Any]:
    """Return the values of keys that an entry of a list must have.

    Raises:
        InputError: A key is missing; the message names the file, the list and the key.
    """
    for key in keys:
        if not isinstance(entry, dict) or key not in entry:
            raise InputError(f"{path}: an entry of `{part}` has no `{key}`: {str(entry)[:200]}")
    return [entry[key] for key in keys]
