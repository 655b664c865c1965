"""Find the images that a table names, however it writes their paths, and give each an id."""

import contextlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from wsseg.errors import InputError

IMAGES = "images"
"""Folder of the images below the root, which paths and ids may leave out."""


def forward(name: str) -> str:
    r"""Return the name of a file with forward slashes, and without `./` before it.

    Example:
        >>> forward(r".\images\a.jpg"), forward("./a.jpg"), forward("a//b.jpg")
        ('images/a.jpg', 'a.jpg', 'a/b.jpg')
    """
    name = re.sub(r"/+", "/", name.strip().replace("\\", "/"))
    while name.startswith("./"):
        name = name[2:]
    return name


class ImageFinder:
    """Index of images by path below the root, file name, and stem.

    A name is compared as it is, then in Unicode's composed form, then without regard to case; it must name one image.
    Folders that all names of the table begin with may be missing below the root, as in paths of another machine.

    Args:
        root: The dataset's folder.
        images: Its images, relative to it.
        names: All names of the table.
    """

    def __init__(self, root: Path, images: Sequence[PurePosixPath], names: Iterable[str]) -> None:
        self.root = root
        self._exact: dict[str, list[PurePosixPath]] = {}
        self._paths: dict[str, list[PurePosixPath]] = {}
        for path in images:  # strings, as there may be 100,000
            whole, end = str(path), len(path.suffix)
            inside = whole.removeprefix(f"{IMAGES}/")
            full = {whole, inside, whole[: len(whole) - end], inside[: len(inside) - end]}
            for text in {*full, path.name, path.stem}:
                self._exact.setdefault(text, []).append(path)
            for text in full:
                self._paths.setdefault(text, []).append(path)
        self._found: dict[str, PurePosixPath | None] = {}
        above = {forward(name).rpartition("/")[0] for name in names}
        folders = [PurePosixPath(folder).parts for folder in above]
        shared = 0
        while folders and all(len(one) > shared and one[shared] == folders[0][shared] for one in folders):
            shared += 1
        self._shared = shared

    def find(self, name: str) -> PurePosixPath | None:
        """Return the image of a name, relative to the root; None if there is none.

        Raises:
            InputError: The name may be that of two images.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> PurePosixPath | None:
        if len(found := self._exact.get(name, ())) == 1:
            return found[0]
        for key in (_same, _composed, _any_case):
            for text, index in self._texts(name):
                found = dict.fromkeys(path for path in self._under(key, index).get(key(text), ()))
                # `a.b` names the file a.b rather than a.b.jpg.
                exact = [path for path in found if key(path.name) == key(PurePosixPath(text).name)] or list(
                    found
                )
                if len(exact) > 1:
                    raise InputError(
                        f"`{name}` may be {self.root / exact[0]} or {self.root / exact[1]}; write the path or the "
                        "extension, or rename one of the two"
                    )
                if exact:
                    return exact[0]
        return None

    def _texts(self, name: str) -> list[tuple[str, Mapping[str, list[PurePosixPath]]]]:
        """Return what a name may be called in the index, the likeliest first, with the part of the index to ask."""
        text = forward(name)
        result: list[tuple[str, Mapping[str, list[PurePosixPath]]]] = [
            (name, self._exact),
            (text, self._exact),
        ]
        parts = PurePosixPath(text).parts
        result += [("/".join(parts[count:]), self._paths) for count in range(1, self._shared + 1)]
        with contextlib.suppress(ValueError):
            result.append((str(PurePosixPath(Path(text).relative_to(self.root))), self._paths))
        return result

    def _under(self, key, index: Mapping[str, list[PurePosixPath]]) -> Mapping[str, list[PurePosixPath]]:
        if key is _same:
            return index
        cache = self.__dict__.setdefault("_keyed", {})
        if (key, id(index)) not in cache:
            keyed: dict[str, list[PurePosixPath]] = {}
            for text, paths in index.items():
                keyed.setdefault(key(text), []).extend(paths)
            cache[key, id(index)] = keyed
        return cache[key, id(index)]


def _same(text: str) -> str:
    return text


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _any_case(text: str) -> str:
    return _composed(text).casefold()


def ids_of(images: Iterable[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Return an id per image: its stem; of images with one stem, the path without extension, `__` between folders.

    Args:
        images: Paths below the root; the folder `images` at their beginning is left out of ids.

    Example:
        >>> list(ids_of(map(PurePosixPath, ("images/a/x.jpg", "images/b/x.jpg", "images/b/y.jpg"))).values())
        ['a__x', 'b__x', 'y']
    """
    images = list(images)
    counts = Counter(path.stem.casefold() for path in images)
    return {path: path.stem if counts[path.stem.casefold()] == 1 else path_id(path) for path in images}


def path_id(path: PurePosixPath) -> str:
    """Return the id of an image by its path.

    Example:
        >>> path_id(PurePosixPath("images/val/x.jpg"))
        'val__x'
    """
    above = path.parts[:-1]
    return "__".join([*(above[1:] if above[:1] == (IMAGES,) else above), path.stem])
