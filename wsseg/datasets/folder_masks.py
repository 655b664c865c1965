"""Find the masks of a folder of photographs by their names."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from wsseg.datasets.mask_pattern import MaskPattern
from wsseg.datasets.mask_suffixes import name_without_suffix
from wsseg.datasets.visible_files import VisibleFiles, by_parts
from wsseg.errors import InputError
from wsseg.image_files import IMAGE_EXTENSIONS

MASKS = "masks"
"""Folder of masks in which nothing is ever a photograph."""

_LIKE_MASKS = re.compile(r"mask|label|annot|segm|ground[ _-]?truth|^gts?$|^segs?$", re.IGNORECASE)
_NO_MASKS = re.compile(r"object|instance|image|photo", re.IGNORECASE)
_PREFIXES = ("mask_", "label_", "gt_", "seg_", "mask-", "label-", "groundtruth_")


@dataclass
class FoundMasks:
    """The photographs and the masks of a folder; paths are relative to it.

    Attributes:
        photographs: Files that are no masks.
        masks: Files that are masks by their names or folders.
        others: Files in folders of masks that are no images.
        pattern: Path of masks that the user has given, or None.
    """

    photographs: list[PurePosixPath]
    masks: list[PurePosixPath] = field(default_factory=list)
    others: list[PurePosixPath] = field(default_factory=list)
    pattern: MaskPattern | None = None

    def assigned(
        self,
        images: list[PurePosixPath],
        missing: list[str],
        ids: Mapping[PurePosixPath, str] | None = None,
    ) -> tuple[dict[PurePosixPath, PurePosixPath], dict[str, str]]:
        """Give each photograph its mask.

        Args:
            images: All photographs, also those that are not used.
            missing: Names of images that the CSV lists and that are not there.
            ids: Photograph -> id, which may also be the name of its mask.

        Returns:
            Photograph -> mask; and the masks that belong to none, with the reason.

        Raises:
            InputError: A photograph has two masks.
        """
        if self.pattern is not None:
            found = {image: self.pattern.mask_of(image, "") for image in images}
            there = set(self.masks)
            found = {image: mask for image, mask in found.items() if mask in there}
            spare = there - set(found.values())
        elif self.masks:
            found, spare = self._by_names(images, ids or {})
        else:
            found, spare = {}, set()
        gone = {PurePosixPath(name).stem for name in missing} | {PurePosixPath(name).name for name in missing}
        unused = {
            str(mask): "looks like a mask, but there is no image that it is the mask of"
            for mask in sorted(spare)
            if not set(names_of_images(mask)) & gone
        }
        unused |= self._unreadable(images, found)
        return found, unused

    def _by_names(
        self, images: list[PurePosixPath], ids: Mapping[PurePosixPath, str]
    ) -> tuple[dict[PurePosixPath, PurePosixPath], set[PurePosixPath]]:
        owners: dict[str, list[PurePosixPath]] = defaultdict(list)
        for image in images:
            owners[image.stem].append(image)
            owners[image.name].append(image)
            if (name := ids.get(image, image.stem)) != image.stem:
                owners[name].append(image)
        masks_of: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        spare = set(self.masks)
        for mask in self.masks:
            for name in names_of_images(mask):
                if name in owners:
                    for image in dict.fromkeys(owners[name]):
                        masks_of[image].append(mask)
                    spare.discard(mask)
                    break
        found = {}
        for image, masks in masks_of.items():
            usual = PurePosixPath(MASKS, f"{ids.get(image, image.stem)}.png")
            near = [mask for mask in masks if _mirrors(mask, image)]  # images/train and labels/train
            masks = near if len(near) == 1 and usual not in masks else masks
            if len(masks) > 1 and usual not in masks:
                raise InputError(
                    f"{image} may have its mask in {masks[0]} or in {masks[1]}; move one away, or choose with "
                    f"`masks: {pattern_of(masks[0], image)!r}` in the options of dataset `folder`"
                )
            found[image] = usual if usual in masks else masks[0]
            spare |= set(masks) - {found[image]}
        users: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for image, mask in found.items():
            users[mask].append(image)
        for mask, several in users.items():
            if len(several) < 2:
                continue
            near = [image for image in several if _mirrors(mask, image)]
            if len(near) != 1:
                raise InputError(
                    f"{mask} may be the mask of {several[0]} or of {several[1]}; put masks into folders named as those "
                    "of the images, or set `masks: '" + pattern_of(mask, several[0]) + "'`"
                )
            for image in set(several) - set(near):
                del found[image]
        return found, spare - set(found.values())

    def _unreadable(
        self, images: list[PurePosixPath], found: Mapping[PurePosixPath, PurePosixPath]
    ) -> dict[str, str]:
        """Return files of masks that are no images, and whose image has no other mask."""
        without = {name for image in images if image not in found for name in (image.stem, image.name)}
        return {
            str(
                path
            ): "belongs to an image, but is no image itself; masks are PNG or TIFF files of class ids: convert it"
            for path in self.others
            if set(names_of_images(path)) & without
        }


def _mirrors(mask: PurePosixPath, image: PurePosixPath) -> bool:
    """Tell whether a mask lies in a folder that is named as that of its image."""
    return mask.parent.name == image.parent.name


def names_of_images(mask: PurePosixPath) -> Iterator[str]:
    """Yield the names that the image of a mask may have, with or without extension, the likeliest first.

    Example:
        >>> [list(names_of_images(PurePosixPath(path))) for path in ("masks/a.jpg.png", "gt/a_mask.png")]
        [['a.jpg', 'a'], ['a_mask', 'a']]
    """
    names = [mask.stem]
    if (base := name_without_suffix(mask.stem)) is not None:
        names.append(base)
    if mask.stem.endswith("_L"):  # as CamVid names them
        names.append(mask.stem.removesuffix("_L"))
    names += [mask.stem[len(one) :] for one in _PREFIXES if mask.stem.lower().startswith(one)]
    for name in names:
        yield name
        if PurePosixPath(name).suffix.lower() in IMAGE_EXTENSIONS:
            yield PurePosixPath(name).stem


def pattern_of(mask: PurePosixPath, image: PurePosixPath) -> str:
    """Return the path of masks that fits a mask and its image.

    Example:
        >>> pattern_of(PurePosixPath("labels/a_mask.png"), PurePosixPath("images/a.jpg"))
        'labels/{name}_mask.png'
    """
    last = mask.name.replace(image.stem, "{name}", 1)
    return (mask.parent / last).as_posix() if mask.parent != image.parent else f"{{folder}}/{last}"


def find_masks(files: VisibleFiles, masks: str, listed: set[str]) -> FoundMasks:
    """Part the photographs of a folder from its masks.

    By names, a mask is every file in the folder `masks`; one in another folder with a name like labels, annotations,
    ground_truth or SegmentationClass, if images elsewhere have the names of files in it; and one beside an image, with
    its name and an ending such as `_mask`.

    Args:
        files: The files below the folder.
        masks: `auto` for the rule above, `none`, or a path for `MaskPattern`.
        listed: Images as the CSV names them. A file beside other images that it names is a photograph.

    Raises:
        InputError: `masks` is neither of these.
    """
    if masks == "none":
        return FoundMasks([path for path in files.images if path.parts[0] != MASKS])
    if masks != "auto":
        pattern = MaskPattern(masks)
        if "{class}" in masks:
            raise InputError(f"`masks: {masks}`: dataset `folder` has no class folders; remove {{class}}")
        fits = [path for path in files.images if pattern.can_be(path)]
        return FoundMasks([path for path in files.images if path not in set(fits)], fits, [], pattern)
    places: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    outside = []
    for path in files.images:
        place = _place_of_masks(path)
        (outside if place is None else places[place]).append(path)
    names = {name for path in outside for name in (path.stem, path.name)}
    found = FoundMasks([])
    for place, paths in places.items():
        of_images = any(set(names_of_images(path)) & names for path in paths)
        (found.masks if of_images or place == PurePosixPath(MASKS) else outside).extend(paths)
    there = {(path.parent, path.stem) for path in outside}
    for path in outside:
        base = name_without_suffix(path.stem)
        beside = base is not None and (path.parent, base) in there
        (
            found.masks
            if beside and not {path.name, path.stem, str(path), str(path.with_suffix(""))} & listed
            else found.photographs
        ).append(path)
    found.photographs.sort(key=by_parts)
    found.masks.sort(key=by_parts)
    found.others = [path for path in files.others if _place_of_masks(path) is not None]
    return found


def _place_of_masks(path: PurePosixPath) -> PurePosixPath | None:
    """Return the topmost folder above a file that has a name like those of masks."""
    for index, part in enumerate(path.parts[:-1]):
        if (_LIKE_MASKS.search(part) and not _NO_MASKS.search(part)) or (index == 0 and part == MASKS):
            return PurePosixPath(*path.parts[: index + 1])
    return None
