"""Photographs that a command line names: files, folders and patterns; and an id for each."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsseg.datasets.visible_files import is_image, is_written_by_wsseg, pictures_of_explain
from wsseg.errors import InputError

ARRAYS = frozenset({".npy"})
"""Extensions of arrays, which some commands take for images."""


def find_photographs(words: Sequence[str], without: Path | None = None, arrays: bool = False) -> list[Path]:
    """Return the image files of a command line, each once, in its order.

    Args:
        words: Image files; folders, of which the images are taken, without subfolders, hidden files and the pictures of
            `wsseg explain`; or patterns that the shell has left alone, `**` for all subfolders, but without what wsseg
            has written in them.
        without: Folder whose files no pattern takes: what the command itself writes.
        arrays: Whether to take `.npy` files too; of a folder or a pattern only if there is no image.

    Raises:
        InputError: A folder holds no image, or a pattern fits none. A missing file is no error here.
    """
    found: dict[Path, Path] = {}
    for word in words:
        path = Path(word).expanduser()
        if path.is_dir():
            files = images_in(sorted(path.iterdir()), arrays)
            if not files:
                raise InputError(f"{path} holds no image; expected files such as {path / 'photo.jpg'}")
        elif not path.exists() and glob.has_magic(word):
            matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
            inside = without and without.resolve()
            matches = [match for match in matches if inside not in match.resolve().parents]
            files = images_in([match for match in matches if not _is_written(match, path)], arrays)
            if not files:
                raise InputError(f"{word} fits no image; give files, a folder or another pattern")
        else:
            files = [path]
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _is_written(match: Path, pattern: Path) -> bool:
    """Tell whether a file lies in a folder that wsseg has written, and that the pattern does not name itself."""
    named = next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))
    return any(is_written_by_wsseg(folder) for folder in match.parents if len(folder.parts) > named)


def images_in(paths: Sequence[Path], arrays: bool) -> list[Path]:
    """Return the image files among paths, without hidden ones and the pictures of `wsseg explain`.

    If there is none and `arrays`, the `.npy` files.
    """
    pictures = {folder: pictures_of_explain(folder) for folder in {path.parent for path in paths}}
    visible = [
        path
        for path in paths
        if path.is_file() and not path.name.startswith(".") and path.name not in pictures[path.parent]
    ]
    images = [path for path in visible if is_image(path.name)]
    return images or [path for path in visible if arrays and path.suffix.lower() in ARRAYS]


def name_photographs(photographs: Sequence[Path], known: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Give each photograph an id: its stem; of photographs with one stem, later ones get the folder's name before it.

    Args:
        photographs: Files.
        known: Ids that earlier calls have given: id -> full path. They stay with their photographs.

    Returns:
        Id -> file, in the order of the photographs.

    Example:
        >>> list(name_photographs([Path("a/x.jpg"), Path("b/x.jpg"), Path("b/x.png"), Path("b/y.png")]))
        ['x', 'b_x', 'b_x_2', 'y']
    """
    ids_of = {path: id for id, path in (known or {}).items()}
    # Some file systems take `A.png` and `a.png` for one file.
    taken = {id.lower() for id in known or {}}
    result: dict[str, Path] = {}
    for photograph in photographs:
        name = ids_of.get(str(photograph.resolve()))
        if name is None:
            stem, number = photograph.stem, 1
            name = stem
            while name.lower() in taken:
                name = f"{photograph.resolve().parent.name}_{stem}" + (f"_{number}" if number > 1 else "")
                number += 1
            taken.add(name.lower())
        result[name] = photograph
    return result
