"""Which image each annotation file belongs to, where tools write one file per image."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from wsseg.datasets.class_folder_tree import SPLITS
from wsseg.datasets.drawn_splits import drawn_splits
from wsseg.datasets.folder_images import forward
from wsseg.errors import InputError


def images_of_annotations(
    root: Path, named: Mapping[PurePosixPath, str], images: Sequence[PurePosixPath]
) -> tuple[dict[PurePosixPath, PurePosixPath], dict[str, str]]:
    """Return the image of each annotation file: the one that it names, else the one with its own name.

    Args:
        root: The dataset's folder, for messages.
        named: Annotation file -> image as the file writes it, which may be empty or a path of another machine.
        images: All images, relative to the root.

    Returns:
        Annotation file -> image; and the annotation files without an image, with the reason.

    Raises:
        InputError: Two files are of one image.
    """
    there = set(images)
    by_stem: dict[str, list[PurePosixPath]] = {}
    for image in images:
        by_stem.setdefault(image.stem, []).append(image)
    found: dict[PurePosixPath, PurePosixPath] = {}
    missing: dict[str, str] = {}
    owner: dict[PurePosixPath, PurePosixPath] = {}
    for path, written in named.items():
        name = forward(written)
        places = [
            path.parent / name,
            _normal(f"{path.parent}/{name}"),
            path.parent / PurePosixPath(name).name,
        ]
        candidates = [place for place in places if place in there]
        candidates += [image for image in by_stem.get(path.stem, ()) if image.parent == path.parent]
        if not candidates:
            candidates = by_stem.get(path.stem, [])
            if len(candidates) > 1:
                raise InputError(
                    f"{root / path} may be of {candidates[0]} or of {candidates[1]}; put it beside its image"
                )
        if not candidates:
            missing[str(path)] = f"names the image `{written}`, which does not exist"
            continue
        image = candidates[0]
        if image in owner:
            raise InputError(
                f"{root / path} and {root / owner[image]} are both of the image {image}; remove one"
            )
        owner[image] = path
        found[path] = image
    return found, missing


def splits_of_files(ids: Mapping[PurePosixPath, str], val_share: float) -> dict[PurePosixPath, str]:
    """Return the split of each annotation file: as the topmost folders say, or drawn by a hash of the image's id.

    Args:
        ids: Annotation file -> id of its image.
        val_share: Share of the images in val if the splits are drawn.
    """
    above = {path: SPLITS.get(path.parts[0].lower()) if len(path.parts) > 1 else None for path in ids}
    if above and None not in above.values():
        return {path: split for path, split in above.items() if split}
    drawn = drawn_splits({str(path): name for path, name in ids.items()}, val_share)
    return {path: drawn[str(path)] for path in ids}


def _normal(path: str) -> PurePosixPath:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return PurePosixPath(*parts)
