"""Search a folder that has one folder per class: which files belong to which class and split."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wsseg.datasets.visible_files import is_image, is_written_by_wsseg, visible_files
from wsseg.errors import InputError

SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
    "testing": "test",
}  # fmt: skip
"""Folder of a split, in lower case -> name of the split."""

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
"""Folders that hold the images of the folder above, in lower case. They are never classes."""

MASK_FOLDERS = frozenset({
    "masks", "gt", "ground_truth", "ground-truth", "groundtruth", "annotations", "labels", "segmentation",
    "segmentations",
})  # fmt: skip
"""Folders that hold masks, in lower case. They are never classes."""

MASK_FOLDERS_OR_CLASSES = frozenset({"mask", "label"})
"""Further folders of masks. Beside the classes, one that holds images itself is a class: `mask` and `no_mask`."""


@dataclass(frozen=True)
class ClassFile:
    """An image file below a class folder: a photograph, or a mask that lies among the photographs.

    Attributes:
        path: Path relative to the root, with `/`.
        folder: Name of the class folder.
        split: Name of the split that its folder names, or None.
    """

    path: PurePosixPath
    folder: str
    split: str | None


@dataclass(frozen=True)
class ClassTree:
    """The files of a folder with one folder per class.

    Attributes:
        root: The folder.
        files: Image files below class folders, outside folders of masks; sorted by path.
        mask_files: Image files in folders of masks, relative to the root.
        loose: Image files in no class folder, relative to the root.
        empty: Class folders without an image, relative to the root.
    """

    root: Path
    files: tuple[ClassFile, ...]
    mask_files: frozenset[PurePosixPath]
    loose: tuple[PurePosixPath, ...]
    empty: tuple[PurePosixPath, ...]

    @property
    def folders(self) -> list[str]:
        """Names of the class folders of all splits together, sorted."""
        return sorted({file.folder for file in self.files})

    @property
    def splits(self) -> list[str]:
        """Splits that folders name; empty if the class folders lie directly in the root."""
        return sorted({file.split for file in self.files} - {None})


def find_class_files(root: Path) -> ClassTree:
    """Search a folder; see `wsseg.datasets.visible_files`.

    Raises:
        InputError: Folders of splits and classes lie side by side, two folders name one split, or the folder of a
            split holds images instead of class folders.
    """
    visible = visible_files(root)
    paths, folders = visible.images, visible.folders
    split_folders = {
        path.parts[0] for path in paths if len(path.parts) > 2 and path.parts[0].lower() in SPLITS
    }
    named: dict[str, str] = {}
    for folder in sorted(split_folders):
        split = SPLITS[folder.lower()]
        if split in named:
            raise InputError(
                f"{root}: `{named[split]}` and `{folder}` both name the split {split}; join the two"
            )
        named[split] = folder
    level = 1 if split_folders else 0  # place of the class folder in a path
    doubtful = {
        path.parts[: level + 1]
        for path in paths
        if len(path.parts) == level + 2 and path.parts[level].lower() in MASK_FOLDERS_OR_CLASSES
    }
    files, mask_files, loose = [], set(), []
    for path in paths:
        above = path.parts[:-1]
        if _of_masks(above, level, doubtful):
            mask_files.add(path)
        elif not above or above[0].lower() in IMAGE_FOLDERS:
            loose.append(path)
        elif above[0] not in split_folders and above[0].lower() in SPLITS:
            raise InputError(
                f"{root / above[0]} holds images themselves, such as {path.name}; expected folders of classes in "
                "it, as the name is that of a split"
            )
        elif level and above[0] not in split_folders:
            raise InputError(
                f"{root} holds the folders of splits {', '.join(sorted(split_folders))} and also `{above[0]}`, "
                f"with {path.name}; expected every class folder below a split: move `{above[0]}`"
            )
        elif len(above) <= level or above[level].lower() in IMAGE_FOLDERS:
            loose.append(path)
        else:
            files.append(ClassFile(path, above[level], SPLITS[above[0].lower()] if level else None))
    there = {(file.split, file.folder) for file in files}
    empty = [
        folder
        for folder in folders
        if len(folder.parts) == level + 1
        and not (level and folder.parts[0] not in split_folders)
        and folder.name.lower() not in {*SPLITS, *IMAGE_FOLDERS, *MASK_FOLDERS, *MASK_FOLDERS_OR_CLASSES}
        and (SPLITS[folder.parts[0].lower()] if level else None, folder.name) not in there
    ]
    return ClassTree(root, tuple(files), frozenset(mask_files), tuple(loose), tuple(empty))


def _of_masks(above: tuple[str, ...], level: int, doubtful: set[tuple[str, ...]]) -> bool:
    """Tell whether a file lies in a folder of masks, by the names of the folders above it."""
    for index, name in enumerate(above):
        if name.lower() in MASK_FOLDERS:
            return True
        if name.lower() in MASK_FOLDERS_OR_CLASSES and not (
            index == level and above[: level + 1] in doubtful
        ):
            return True
    return False


def has_class_folders(root: Path) -> bool:
    """Tell whether a folder has at least two class folders, by a look at its first levels alone.

    A class folder holds images itself, or in a folder such as `images`. A folder with its own `labels.csv` is none.
    """
    tops = [path for path in _folders(root) if path.name.lower() in SPLITS and any(_folders(path))] or [root]
    other = {*SPLITS, *IMAGE_FOLDERS, *MASK_FOLDERS}
    classes = {
        path.name
        for top in tops
        for path in _folders(top)
        if path.name.lower() not in other and not (path / "labels.csv").is_file() and _holds_images(path)
    }
    return len(classes) > 1


def _holds_images(folder: Path) -> bool:
    inner = [path for path in _folders(folder) if path.name.lower() in IMAGE_FOLDERS]
    return any(is_image(path.name) for place in (folder, *inner) for path in place.iterdir())


def _folders(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".") and not is_written_by_wsseg(path)
    )
