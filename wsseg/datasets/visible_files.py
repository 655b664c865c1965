"""The files below a folder of photographs, without hidden ones and without what wsseg itself has written there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wsseg.file_names import (
    EXPLAINED,
    EXPLAINED_WITH,
    MADE_FILES,
    MANIFEST,
    MAPS,
    OVERLAYS,
    OWNER,
    PREDICTED_WITH,
)
from wsseg.image_files import IMAGE_EXTENSIONS


@dataclass(frozen=True)
class VisibleFiles:
    """The files below a folder.

    Attributes:
        images: Files with an extension of images, relative to the folder, without the pictures that `wsseg explain` has
            written; sorted.
        others: All other files.
        folders: Folders.
        own: Folders that `wsseg run`, `wsseg predict` or `wsseg explain` has written; nothing in them is listed.
    """

    images: tuple[PurePosixPath, ...]
    others: tuple[PurePosixPath, ...]
    folders: tuple[PurePosixPath, ...]
    own: tuple[PurePosixPath, ...]


def visible_files(root: Path) -> VisibleFiles:
    """Search a folder. Hidden files and folders are not seen; links are followed.

    A folder that links lead to twice is searched once, at its shortest path: links back up end.
    """
    images, others, folders, own, seen = [], [], [], [], set()
    level = [PurePosixPath()]
    while level:
        below = []
        for folder in level:
            real = os.path.realpath(root / folder)
            if real in seen:
                continue
            seen.add(real)
            if folder.parts and is_written_by_wsseg(root / folder):
                own.append(folder)
                continue
            if folder.parts:
                folders.append(folder)
            pictures = pictures_of_explain(root / folder)
            with os.scandir(root / folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.name.startswith(".") or entry.name in pictures:
                        continue
                    if entry.is_dir():
                        below.append(folder / entry.name)
                    elif entry.is_file():
                        (images if is_image(entry.name) else others).append(folder / entry.name)
        level = below
    return VisibleFiles(*(tuple(sorted(found, key=by_parts)) for found in (images, others, folders, own)))


def by_parts(path: PurePosixPath) -> tuple[str, ...]:
    """Return what paths are sorted by: the same order as without a key, and faster for many paths."""
    return path.parts


def is_written_by_wsseg(folder: Path) -> bool:
    """Tell whether wsseg has written a folder: a run, a stage, predicted masks, overlays or maps of `explain`."""
    is_stage = (folder / MANIFEST).is_file() and (folder / MADE_FILES).is_file()
    explained = folder.name in (OVERLAYS, MAPS) and (folder.parent / EXPLAINED_WITH).is_file()
    return is_stage or explained or any((folder / name).is_file() for name in (OWNER, PREDICTED_WITH))


def pictures_of_explain(folder: Path) -> frozenset[str]:
    """Return the names of the pictures that `wsseg explain` has written into a folder, without its subfolders."""
    try:
        content = json.loads((folder / EXPLAINED).read_bytes())
        return frozenset(name for name in content["pictures"] if isinstance(name, str))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return frozenset()  # there are none, or it is not our file


def is_image(name: str) -> bool:
    """Tell whether a visible file is an image, by its extension."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS  # noqa: PTH122


def is_there(path: Path) -> bool:
    """Return whether a file exists whose name comes from other data; a name that no file can have is not there."""
    try:
        return path.exists()
    except OSError:  # longer than a name may be, or a link in a circle
        return False
