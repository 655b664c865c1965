"""Where the annotation file and the images of a split of COCO, or of data in its format, are.

    annotations/instances_SPLIT2017.json   SPLIT2017/ or images/SPLIT2017/                    COCO (2017 or 2014)
    annotations/instances_SPLIT.json       images/SPLIT/, SPLIT/ or images/                   CVAT, Datumaro
    annotations/instances_default.json     images/default/ or images/: the split train        CVAT without subsets
    SPLIT/_annotations.coco.json           SPLIT/                                             Roboflow

The split val may also be named valid or validation.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsseg.datasets.split_column import split_name
from wsseg.datasets.visible_files import is_there
from wsseg.errors import InputError
from wsseg.objects.coco_values import forward

YEARS = (2017, 2014)
ROBOFLOW = "_annotations.coco.json"
ALSO = {"val": ("valid", "validation"), "valid": ("val",), "validation": ("val",)}
"""Split -> other names of it."""

WHOLE = "default"
"""Name of the only subset of an export of CVAT whose images were given none."""

LONGEST_SPLIT = 100
"""Longest name of a split, in characters."""

PerSplit = str | Mapping[str, str] | None
"""A path relative to the root, with `{split}` in it where it differs between splits; or split -> path."""


def of_split(option: str, given: PerSplit, split: str) -> list[str]:
    """Return the paths that an option may mean for a split, the likeliest first; none if the option is not given.

    Raises:
        InputError: The option has another form, or no path for the split.

    Example:
        >>> of_split("images", {"train": "a", "val": "b"}, "val"), of_split("images", "{split}/photos", "val")
        (['b'], ['val/photos', 'valid/photos', 'validation/photos'])
    """
    names = (split, *ALSO.get(split, ()))
    if given is None or isinstance(given, str):
        return [] if given is None else list(dict.fromkeys(given.replace("{split}", name) for name in names))
    if not isinstance(given, Mapping) or not all(isinstance(path, str) for path in given.values()):
        raise InputError(
            f"`{option}` of dataset `coco` must be a path, or a path for each split, such as "
            f"{{train: a.json, val: b.json}}; got {str(given)[:80]}"
        )
    for name in names:
        if name in given:
            return [given[name]]
    raise InputError(
        f"`{option}` of dataset `coco` has no path for the split `{split}`, only for {', '.join(map(str, given))}"
    )


def annotation_file(
    root: Path, split: str, masks: str, year: int | None, given: PerSplit
) -> tuple[Path, list[str]]:
    """Find the annotation file of a split.

    Returns:
        The file, and the names that the folder of its images may have, the likeliest first.

    Raises:
        InputError: There is no such file; the message says what there is.
    """
    if "/" in split or "\0" in split or len(split) > LONGEST_SPLIT:  # it is a part of file names
        raise InputError(f"dataset `coco` has no split {split[:60]!r}; {_there(root)}")
    chosen = of_split("annotations", given, split)
    names = (split, *ALSO.get(split, ()))
    dated = [f"{split}{one}" for one in ((year,) if year else YEARS)]
    if chosen:
        path = next(
            (root / one for one in chosen if is_there(root / one) and (root / one).is_file()),
            root / chosen[0],
        )
        if not (is_there(path) and path.is_file()):
            raise InputError(f"{path} does not exist (`annotations` of dataset `coco`); {_there(root)}")
        beside = [] if path.parent.name == "annotations" else [os.path.relpath(path.parent, root)]
        return path, [*dated, *beside, *names]
    for name in dated:
        if (path := root / "annotations" / f"{masks}_{name}.json").is_file():
            return path, [name]
    if year is None:
        for name in names:
            if (path := root / "annotations" / f"{masks}_{name}.json").is_file():
                return path, [name, "."]
            if masks == "instances" and (path := root / name / ROBOFLOW).is_file():
                return path, [name]
        if split in ("train", WHOLE) and annotated_splits(root, masks) == [WHOLE]:
            return root / "annotations" / f"{masks}_{WHOLE}.json", [WHOLE, "."]
    raise InputError(f"{root / 'annotations' / f'{masks}_{dated[0]}.json'} does not exist; {_there(root)}")


def annotated_splits(root: Path, masks: str = "instances", year: int | None = None) -> list[str]:
    """Return the splits with annotations, train first."""
    stems = {path.stem.removeprefix(f"{masks}_") for path in (root / "annotations").glob(f"{masks}_*.json")}
    for one in YEARS if year is None else (year,):
        if splits := {name.removesuffix(str(one)) for name in stems if name.endswith(str(one))}:
            return _in_order(splits)
    if year is None and masks == "instances":
        stems |= {path.parent.name for path in root.glob(f"*/{ROBOFLOW}")}
    return _in_order({"val" if name in ALSO["val"] else name for name in stems}) if year is None else []


def per_split(options: Mapping[str, Any]) -> list[str]:
    """Return the splits that the options `annotations` or `images` name; none if they name none."""
    for option in ("annotations", "images"):
        if isinstance(options.get(option), Mapping):
            return _in_order(set(map(str, options[option])))
    return []


def splits_of_pattern(root: Path, annotations: object) -> list[str]:
    """Return the splits whose file is there, of a path with `{split}`; none for another form of the option."""
    if not isinstance(annotations, str) or "{split}" not in annotations:
        return []
    before, _, after = annotations.partition("{split}")
    again = re.escape(after).replace(re.escape("{split}"), "(?P=split)")
    form = re.compile(f"{re.escape(before)}(?P<split>[^/]+?){again}")
    try:
        found = [path.relative_to(root).as_posix() for path in root.glob(annotations.replace("{split}", "*"))]
    except (ValueError, NotImplementedError):
        return []  # no path below the root
    names = {split_name(match["split"]) for path in found if (match := form.fullmatch(path))}
    return _in_order(names & {"train", "val", "test"} or names)


def _in_order(splits: set[str]) -> list[str]:
    return sorted(splits, key=lambda split: (split != "train", split))


def _there(root: Path) -> str:
    found = sorted(path.name for path in (root / "annotations").glob("*.json"))
    found += sorted(f"{path.parent.name}/{ROBOFLOW}" for path in root.glob(f"*/{ROBOFLOW}"))
    if not found:
        return (
            f"{root / 'annotations'} holds no JSON file; give the folder that contains annotations as `root`, or the "
            "file of each split as `annotations`, such as `annotations: my/{split}.json`"
        )
    whole = (
        "; `default` is the only subset, and is the split train: export the subsets train and val, or give each split "
        "its file as `annotations`"
        if found == [f"instances_{WHOLE}.json"]
        else "; COCO's test images have no public annotations"
    )
    return f"{root} holds {', '.join(found[:6])}{whole}"


class ImageFolder:
    """The images of an annotation file.

    Args:
        root: Root of the dataset.
        names: Names that the folder may have, the likeliest first.
        given: Names that the option `images` gives; they replace `names` if there are any.
        listed: File names in the annotation file.
        outside_root: Whether images may lie outside of the folder and of the root.

    Raises:
        InputError: None of the folders exists.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        given: Sequence[str],
        listed: Sequence[str],
        outside_root: bool = False,
    ):
        self.root, self.outside_root = root, outside_root
        names = given or names
        folders = [folder for name in names for folder in (root / name, root / "images" / name)]
        if not given and (root / "images").is_dir():
            folders.append(root / "images")
        there = [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
        if not there:
            raise InputError(
                f"{folders[0]} does not exist; it should hold the images (for another folder, set the option `images`)"
            )
        first, found = listed[:20], []
        for folder in there:
            self._open(folder)
            found.append(sum(self.find(name) is not None for name in first))
            if found[-1] == len(first):
                return
        self._open(there[found.index(max(found))])

    def _open(self, folder: Path) -> None:
        self.folder = folder
        with os.scandir(
            folder
        ) as entries:  # one listing is much faster than testing 118,000 files one by one
            self._names = {entry.name for entry in entries}

    def find(self, file_name: str) -> Path | None:
        """Return the file of an image; None if there is none.

        It is the file name below the folder, below the root, or as it is if it is absolute; with either kind of slash.
        Paths of another machine fall back to the last part of the name in the folder. A file that lies neither in the
        folder nor in the root, as of a name with `..`, is not found unless `outside_root` allows it.
        """
        if file_name in self._names:
            return self.folder / file_name
        if not file_name:
            return None
        for name in dict.fromkeys((file_name, forward(file_name))):
            for base in (self.folder, self.root):
                if (
                    is_there(path := base / name)
                    and path.is_file()
                    and (self.outside_root or self._inside(path))
                ):
                    return path
        last = forward(file_name).rpartition("/")[2]
        return self.folder / last if last in self._names else None

    def outside(self, file_name: str) -> bool:
        """Return whether there is a file of this name, but outside of the folder and of the root."""
        paths = (base / forward(file_name) for base in (self.folder, self.root))
        return any(is_there(path) and path.is_file() and not self._inside(path) for path in paths)

    def _inside(self, path: Path) -> bool:
        """Go by the names alone: a link inside the root may lead anywhere, as its owner put it there."""
        whole = os.path.normpath(path)
        return any(Path(whole).is_relative_to(os.path.normpath(base)) for base in (self.folder, self.root))
