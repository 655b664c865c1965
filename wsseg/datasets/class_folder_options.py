"""Options of `class_folders` that a look at the files suggests, for `wsseg init` and `wsseg datasets check`."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from wsseg.datasets.class_folder_tree import ClassFile, ClassTree, find_class_files
from wsseg.datasets.gray_masks import gray_levels
from wsseg.datasets.mask_pattern import MaskPattern
from wsseg.datasets.mask_suffixes import MASK_SUFFIXES, name_without_suffix
from wsseg.errors import InputError
from wsseg.image_files import image_size_hw

REMARKS = {
    "nothing": "proposed by its name: images without an object, used as negatives; remove it if it is a class",
    "masks": "path of an image's mask below root; read for the scores alone",
    "mask_level": "gray level; pixels above it belong to the class of the image's folder",
    "splits": "folders: train and val as the folders say; drawn: a share of each class is val, by a hash of the name",
    "val_share": "share of each class in val",
}
"""Meaning of each option that may be proposed, in a few words."""

NOTHING = frozenset({
    "background", "clean", "empty", "free", "good", "healthy", "intact", "neg", "negative", "none", "normal",
    "nothing", "notumor", "ok", "okay", "undamaged",
})  # fmt: skip
"""Names of classes without an object, in lower case; and so are names that begin with no, non or without."""

SAMPLE = 24
"""Number of pairs of files, and of masks, that are read to tell what they are."""

Item = TypeVar("Item")


def proposed_options(root: Path) -> dict[str, Any]:
    """Return options for a folder with one folder per class. They are proposals: a person should see them.

    Masks are found by their names. Of two files with one name and two extensions, as large as each other, the mask is
    the one whose extension has masks alone by their gray levels; see `looks_like_mask`.

    Raises:
        InputError: The files cannot be understood, or may be masks in two ways.
    """
    tree = find_class_files(root)
    options: dict[str, Any] = {}
    nothing = without_object(tree.folders) if tree.files else []
    if nothing:
        options["nothing"] = nothing
    masks = _found_masks(tree)
    if masks is not None:
        text, files = masks
        options["masks"] = text
        options["mask_level"] = _level(root / path for path in spread(files, SAMPLE))
    labelled = {file.split for file in tree.files if file.folder not in nothing}
    if len(tree.splits) > 1 and "train" in labelled:
        options["splits"] = "folders"
    else:  # no folders of splits; or MVTec AD's, where training images have no defect
        options |= {"splits": "drawn", "val_share": 0.2}
    return options


def without_object(folders: Sequence[str]) -> list[str]:
    """Return the class folders that have no object by their names, without what all names begin with.

    Example:
        >>> without_object(["MT_Break", "MT_Crack", "MT_Free"]), without_object(["cat", "dog"])
        (['MT_Free'], [])
        >>> without_object(["glioma", "No Tumor"]), without_object(["good"])
        (['No Tumor'], [])
    """
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(min(folders), max(folders), strict=False))
    shared = re.match(r"(.*[\W_])?", "".join(pair[0] for pair in pairs))[0]
    found = [name for name in folders if _is_nothing(name) or _is_nothing(name.removeprefix(shared))]
    return found if len(found) < len(folders) else []


def _is_nothing(name: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    return "".join(words) in NOTHING or (len(words) > 1 and words[0] in ("no", "non", "without"))


def _found_masks(tree: ClassTree) -> tuple[str, list[PurePosixPath]] | None:
    """Return the path of masks that the most images have, and these masks; None if there are none."""
    there = tree.mask_files | {file.path for file in tree.files}
    masks_of: dict[str, dict[ClassFile, PurePosixPath]] = defaultdict(dict)
    for text in (*_beside(tree), *_twins(tree), *_in_folders(tree)):
        pattern = MaskPattern(text)
        for file in tree.files:
            mask = pattern.mask_of(file.path, file.folder)
            if mask in there and mask != file.path and not pattern.can_be(file.path):
                masks_of[text][file] = mask
    if not masks_of:
        return None
    best = max(masks_of, key=lambda text: len(masks_of[text]))
    for text, masks in masks_of.items():
        for file, mask in masks.items():
            if masks_of[best].get(file, mask) != mask:
                raise InputError(
                    f"{tree.root / file.path} may have its mask in {masks_of[best][file]} or in {mask}; choose in a "
                    f"recipe, or with --option of `wsseg datasets check`: `masks: '{best}'` or `masks: '{text}'`"
                )
    return best, sorted(masks_of[best].values())


def _beside(tree: ClassTree) -> list[str]:
    """Return paths such as `{folder}/{name}_mask.png`, of masks in the folders of the images."""
    there = {(file.path.parent, file.path.stem) for file in tree.files}
    found = Counter()
    for file in tree.files:
        base = name_without_suffix(file.path.stem)
        if base is not None and (file.path.parent, base) in there:
            found[f"{{folder}}/{{name}}{file.path.name.removeprefix(base)}"] += 1
    return list(found)


def _twins(tree: ClassTree) -> list[str]:
    """Return `{folder}/{name}.png` if images and masks have the same names, by what the files hold."""
    names = defaultdict(list)
    for file in tree.files:
        names[file.path.parent, file.path.stem].append(file.path)
    pairs = [sorted(paths, key=lambda path: path.suffix) for paths in names.values() if len(paths) > 1]
    kinds = defaultdict(list)
    for pair in pairs:
        kinds[tuple(path.suffix for path in pair)].append(pair)
    found = []
    for suffixes, pairs in kinds.items():
        sample = [[tree.root / path for path in pair] for pair in spread(pairs, SAMPLE)]
        masks = [
            suffix
            for index, suffix in enumerate(suffixes)
            if all(looks_like_mask(pair[index]) for pair in sample)
        ]
        one_size = all(len({image_size_hw(path) for path in pair}) == 1 for pair in sample)
        if len(suffixes) != 2 or len(masks) != 1 or not one_size:
            why = (
                "they differ in size"
                if not one_size
                else "by their gray levels, " + ("neither is a mask" if not masks else "each may be a mask")
            )
            raise InputError(
                f"{' and '.join(str(path) for path in sample[0])} have the same name, and it is not clear which is the "
                f"mask of the other: {why}; move one kind of file away, or choose with `masks: "
                f"'{{folder}}/{{name}}{suffixes[-1]}'` in a recipe"
            )
        found.append(f"{{folder}}/{{name}}{masks[0]}")
    return found


def _in_folders(tree: ClassTree) -> Iterator[str]:
    """Yield possible paths of masks in folders of their own."""
    names = {file.path.stem for file in tree.files}
    ends = Counter()
    for path in tree.mask_files:
        for suffix in ("", *MASK_SUFFIXES):
            if path.stem.removesuffix(suffix) in names and path.stem.endswith(suffix):
                ends[f"{{name}}{suffix}{path.suffix}"] += 1
    above = {path.parts[:-1] for path in tree.mask_files}
    beside = sorted({part for parts in above for part in parts} - set(tree.folders))
    for end in ends:
        for folder in beside:
            yield f"{{folder}}/{folder}/{end}"
            yield f"{{folder}}/../{folder}/{end}"
        for folder in sorted({parts[0] for parts in above}):
            yield f"{folder}/{{folder}}/{end}"
            yield f"{folder}/{{class}}/{end}"
            yield f"{folder}/{end}"


def spread(items: Iterable[Item], count: int) -> list[Item]:
    """Return at most `count` items, spread evenly.

    Example:
        >>> spread("abcdefg", 3), spread("ab", 3)
        (['a', 'd', 'g'], ['a', 'b'])
    """
    items = list(items)
    if len(items) <= count:
        return items
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


def looks_like_mask(path: Path) -> bool:
    """Tell whether a file is a mask by its gray levels: 9 pixels in 10 are black or as bright as the brightest.

    Levels that differ by up to 16 count as one, for the noise of JPEG. Edges may be soft. A file without any black is
    a mask only if all of it is white.
    """
    try:
        levels = gray_levels(path).astype(int)
    except InputError:
        return False
    black, bright = levels <= 16, levels >= levels.max() - 16
    return bool((black | bright).mean() >= 0.9 and (black.any() or levels.min() >= 255 - 16))


def _level(masks: Iterable[Path]) -> int:
    """Return the gray level above which a mask has its class: 127, or 0 if no mask has a level above 127.

    Raises:
        InputError: The masks seem to hold class ids and 255 for unsure pixels.
    """
    levels: set[int] = set()
    for path in masks:
        try:
            levels |= set(np.unique(gray_levels(path)).tolist())
        except InputError:
            continue  # said for each file when the masks are read
    small = levels - {0, 255}
    if small and 255 in levels and max(small) < 32:
        raise InputError(
            f"the masks hold the levels {sorted(levels)}: if these are class ids and 255 marks unsure pixels, dataset "
            "`class_folders` cannot read them; use dataset `folder`, with a labels.csv and masks/NAME.png"
        )
    return 127 if not levels or max(levels) > 127 or max(levels) == 0 else 0
