"""Images in one folder per class, which is their label, as published or sorted by hand; masks of gray levels.

    ROOT/CLASS/*.jpg          the images, also in subfolders, such as CLASS/images or CLASS/Imgs
    ROOT/SPLIT/CLASS/*.jpg    the same below train, val (valid, validation) and test

Masks are optional: beside the images, or in folders such as masks, GT or ground_truth, which are never classes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from wsseg.class_names import BACKGROUND
from wsseg.datasets.class_folder_options import REMARKS, proposed_options
from wsseg.datasets.class_folder_tree import (
    IMAGE_FOLDERS,
    ClassFile,
    ClassTree,
    find_class_files,
    has_class_folders,
)
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.gray_masks import GrayMasks
from wsseg.datasets.label_cells import key_of
from wsseg.datasets.layout import Layout
from wsseg.datasets.mask_pattern import MaskPattern
from wsseg.datasets.mask_suffixes import name_without_suffix
from wsseg.datasets.record import Record
from wsseg.datasets.stratified_split import drawn_for_val
from wsseg.datasets.visible_files import is_there
from wsseg.errors import InputError, is_whole, nearest

HELP = "`wsseg init FOLDER` looks at the files and writes these options"


def class_folders(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    nothing: str | Sequence[str] = (),
    masks: str = "none",
    mask_level: int = 127,
    allow_empty_masks: bool = False,
    splits: str = "auto",
    val_share: float = 0.2,
    other_folders: str = "error",
) -> Dataset:
    """Return a split of images that lie in one folder per class.

    Each image has one label, the name of its class folder, or none if that is a folder of `nothing`. The id of an image
    is its file name without extension if all of these differ. Otherwise each id is the image's path, with `__` between
    the folders: `crack__001`.

    An image of `nothing` holds background only. Where other images have masks, it counts in scores even without a mask
    of its own. A mask is not used, and its image not scored, if it has another size than its image, or contradicts the
    class: no pixel above the level in the folder of an object, or one in a folder of `nothing`.

    Args:
        split: `train`, `val`, `test` if there is such a folder, or `all` for every image.
        root: Folder of the class folders, or of the folders of splits.
        classes: Class folders of objects, in mask-id order; None for all but those of `nothing`, sorted by name.
        nothing: Class folder or folders without an object, such as `good`: their images have no label, and train the
            classifier as negatives of every class.
        masks: `none`, or the path of an image's mask relative to `root`, with {name}, {folder} and {class} for the
            image's: `'{folder}/{name}.png'`, `'{folder}/../GT/{name}.png'`, `'masks/{class}/{name}_mask.png'`. A file
            that fits it is never taken for an image.
        mask_level: Gray level in 0..254; pixels above it belong to the class of the image's folder.
        allow_empty_masks: Whether to accept a mask without a pixel above the level in the folder of an object. Its
            image is then scored as background only; otherwise it is not scored.
        splits: `folders` (as the folders of splits say), `drawn` (by the hash of the file name, see
            `wsseg.datasets.stratified_split`), or `auto`: folders if there are two folders of splits at least.
        val_share: Share of the images of each class in `val` if the splits are drawn, in [0, 1).
        other_folders: With `classes`, the effect of a further class folder: error, or ignore.

    Returns:
        The dataset.

    Raises:
        InputError: The folder has no class folders, a photograph and a mask cannot be told apart, or an option is
            wrong.
    """
    _check_options(root, mask_level, splits, val_share, other_folders)
    tree = find_class_files(root)
    none, chosen = _classes(tree, classes, nothing, other_folders)
    pattern = None if masks == "none" else MaskPattern(masks)
    photographs, orphans = _photographs(tree, pattern)
    ids = _ids(tree, photographs)
    split_of = _splits_of(tree, photographs, splits, val_share)
    if split not in {*split_of.values(), "all"}:
        hint = nearest(split, {*split_of.values(), "all"})
        if splits != "drawn" and tree.splits:
            hint += "; or draw the splits with `splits: drawn`"
        raise InputError(f"{root} has no image in split `{split}`; {hint}")
    found = _masks(tree, photographs, pattern)
    records, folders = [], {}
    for file in photographs:
        if file.folder not in none and file.folder not in chosen:
            continue
        image = root / file.path
        folders[image.parent] = 0 if file.folder in none else 1 + chosen.index(file.folder)
        if split in ("all", split_of[file]):
            mask = found.get(file) or (image if found and file.folder in none else None)
            records.append(Record(ids[file], image, () if file.folder in none else (file.folder,), mask))
    if not records:
        raise InputError(
            f"{root} has no image of {', '.join(chosen)} in split `{split}`; name other `classes`"
        )
    set_aside = _set_aside(tree, orphans, split) if split in ("train", "all") else {}
    reader = GrayMasks(mask_level, folders, allow_empty_masks)
    records.sort(key=lambda record: record.id)
    return Dataset("class_folders", split, chosen, records, set_aside, mask_reader=reader.read)


def _check_options(root: Path | None, level: int, splits: str, val_share: float, other_folders: str) -> None:
    name = "of dataset `class_folders`"
    if root is None:
        raise InputError("dataset `class_folders` needs `root`: a folder with one folder per class")
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; expected a folder with one folder per class")
    if not is_whole(level, 0) or level > 254:
        raise InputError(f"`mask_level` {name} must be a whole number in 0..254; got {level!r}; try 127")
    if not 0 <= val_share < 1:
        raise InputError(f"`val_share` {name} must be in [0, 1); got {val_share}; try 0.2")
    if splits not in ("auto", "folders", "drawn"):
        raise InputError(f"`splits` {name} must be auto, folders or drawn; got {splits!r}")
    if other_folders not in ("error", "ignore"):
        raise InputError(f"`other_folders` {name} must be error or ignore; got {other_folders!r}")


def _classes(
    tree: ClassTree, classes: tuple[str, ...] | None, nothing: str | Sequence[str], other_folders: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class folders without an object, and those of the dataset's classes."""
    there = tree.folders
    if not there:
        raise InputError(
            f"{tree.root} has no class folder with images; expected files such as "
            f"{tree.root / 'CLASS' / 'photo 1.jpg'} (folders of images or masks, such as `images` and `masks`, are no "
            "classes)"
        )
    none = (nothing,) if isinstance(nothing, str) else tuple(nothing)
    chosen = tuple(name for name in there if name not in none) if classes is None else classes
    for option, names in (("nothing", none), ("classes", chosen)):
        for name in names:
            if name not in there:
                raise InputError(
                    f"`{option}`: {tree.root} has no class folder `{name}` with images; {nearest(name, there)}"
                )
    if classes is None:
        written: dict[str, str] = {}
        for name in chosen:
            if (other := written.setdefault(key_of(name), name)) != name:
                raise InputError(
                    f"the class folders `{other}` and `{name}` of {tree.root} differ in their writing alone; join "
                    "them, or list both in `classes` if they are two"
                )
    if both := set(none) & set(chosen):
        raise InputError(f"`{min(both)}` is in `classes` and in `nothing`; remove it from one of the two")
    if not chosen:
        raise InputError(f"{tree.root} has no class folder but those of `nothing`; one must show an object")
    if BACKGROUND in chosen:
        raise InputError(
            f"{tree.root / BACKGROUND}: `{BACKGROUND}` cannot be a class, as it is the name of what belongs to no "
            f"class; set `nothing: {BACKGROUND}` if its images show no object, or rename the folder"
        )
    others = [name for name in there if name not in none and name not in chosen]
    if others and other_folders == "error":
        raise InputError(
            f"{tree.root} has the class folder `{others[0]}`, which is not in `classes` or `nothing`; add it, or set "
            "`other_folders: ignore`"
        )
    return none, chosen


def _photographs(tree: ClassTree, pattern: MaskPattern | None) -> tuple[list[ClassFile], list[PurePosixPath]]:
    """Return the photographs, and the masks without one; a file that may be either is an error."""
    photographs = [file for file in tree.files if pattern is None or not pattern.can_be(file.path)]
    if not photographs:
        raise InputError(f"every image below {tree.root} fits `masks: {pattern.text}`; {HELP}")
    by_name: dict[tuple[PurePosixPath, str], ClassFile] = {}
    for file in photographs:
        key = (file.path.parent, file.path.stem)
        if key in by_name:
            raise InputError(
                f"{tree.root / by_name[key].path} and {file.path.name} have the same name; if one is the mask of the "
                f"other, say so with `masks: '{{folder}}/{{name}}{file.path.suffix}'`, else rename one; {HELP}"
            )
        by_name[key] = file
    for file in photographs:
        base = name_without_suffix(file.path.stem)
        if base is not None and (file.path.parent, base) in by_name:
            end = file.path.name.removeprefix(base)
            raise InputError(
                f"{tree.root / file.path} looks like the mask of {by_name[file.path.parent, base].path.name}; if it is "
                f"one, say so with `masks: '{{folder}}/{{name}}{end}'`, else rename it; {HELP}"
            )
    if pattern is None:
        return photographs, []
    masks = {pattern.mask_of(file.path, file.folder) for file in photographs}
    beside = {file.path for file in tree.files if pattern.can_be(file.path)}
    inside = {path for path in tree.mask_files if pattern.can_be(path)}
    return photographs, sorted((beside | inside) - masks)


def _ids(tree: ClassTree, photographs: list[ClassFile]) -> dict[ClassFile, str]:
    """Return an id per photograph: all stems if they differ, else all paths without the folders named `images`."""
    ids = {file: file.path.stem for file in photographs}
    if len(set(ids.values())) < len(ids):
        for file in photographs:
            above = [part for part in file.path.parts[:-1] if part.lower() not in IMAGE_FOLDERS]
            ids[file] = "__".join([*above, file.path.stem])
    taken: dict[str, ClassFile] = {}
    for file, name in ids.items():
        if name in taken:
            raise InputError(
                f"{tree.root / taken[name].path} and {tree.root / file.path} both get the id `{name}`; rename one of "
                "the two"
            )
        taken[name] = file
    return ids


def _splits_of(
    tree: ClassTree, photographs: list[ClassFile], splits: str, val_share: float
) -> dict[ClassFile, str]:
    if splits == "folders" and not tree.splits:
        raise InputError(
            f"`splits: folders`: {tree.root} has no folders of splits, such as train and val; use `splits: drawn`"
        )
    if splits == "folders" or (splits == "auto" and len(tree.splits) > 1):
        return {file: file.split for file in photographs}
    of_class: dict[str, dict[ClassFile, str]] = defaultdict(dict)
    for file in photographs:
        of_class[file.folder][file] = file.path.stem
    val = set().union(*(drawn_for_val(stems, val_share) for stems in of_class.values()))
    return {file: "val" if file in val else "train" for file in photographs}


def _masks(
    tree: ClassTree, photographs: list[ClassFile], pattern: MaskPattern | None
) -> dict[ClassFile, Path]:
    if pattern is None:
        return {}
    paths = {file: tree.root / pattern.mask_of(file.path, file.folder) for file in photographs}
    found = {file: path for file, path in paths.items() if is_there(path) and path.is_file()}
    if not found:
        raise InputError(
            f"`masks: {pattern.text}`: no image has a mask there, such as {next(iter(paths.values()))}; {HELP}, or set "
            "`masks: none`"
        )
    return found


def _set_aside(tree: ClassTree, orphans: list[PurePosixPath], split: str) -> dict[str, str]:
    """Return what is not used, with reasons; it is said once, with the training images."""
    found = {str(path): "fits `masks`, but there is no image that it is the mask of" for path in orphans}
    found |= {str(path): "in no class folder, so it has no label" for path in tree.loose}
    return found | {f"{path}/": "a class folder without an image" for path in tree.empty}


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    names = find_class_files(root).splits
    if options.get("splits") == "folders" or (options.get("splits", "auto") == "auto" and len(names) > 1):
        return names
    return ["train", "val"] if options.get("val_share", 1) else ["train"]


LAYOUT = Layout(
    "class_folders",
    "one folder of images per class, also below train and val",
    has_class_folders,
    _splits,
    proposed_options,
    REMARKS,
)
