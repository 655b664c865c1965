"""Photographs annotated with labelme: a JSON file of shapes per image.

    ROOT/NAME.jpg, ROOT/NAME.json     also below train, val and test, and with the JSON files in a folder of their own

References:
    The files of labelme 3 to 5 (github.com/wkentaro/labelme), its `shapes_to_label` for how shapes become masks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsseg.datasets.annotated_images import images_of_annotations, splits_of_files
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.folder_images import ids_of
from wsseg.datasets.label_cells import in_order
from wsseg.datasets.labelme_shapes import LabelmeMasks, annotation_files, read_annotation
from wsseg.datasets.layout import Layout
from wsseg.datasets.record import Record
from wsseg.datasets.split_column import split_name
from wsseg.datasets.visible_files import visible_files
from wsseg.errors import InputError, nearest


def labelme(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    val_share: float = 0.2,
    allow_unlabelled: bool = False,
    other_objects: str = "background",
) -> Dataset:
    """Return a split of photographs with labelme's JSON files.

    The labels of an image are those of its shapes; in a dataset without any shape, the flags that are set. Masks are
    drawn as labelme draws them: polygons, rectangles, circles and masks, later ones over earlier ones; `__ignore__` is
    255. An image with a point or a line has labels and no mask, because such a shape does not say where its object
    ends. Images without a JSON file are set aside.

    Args:
        split: `train`, `val`, `test` if there is such a folder, or `all` for every image.
        root: Folder of the images and the JSON files, also in folders below it.
        classes: Classes in mask-id order; None for the labels of all shapes, sorted by name.
        val_share: Share of the images in `val` if there are no folders of splits, in [0, 1).
        allow_unlabelled: Whether to keep images without a shape of a class: they hold background only.
        other_objects: With `classes`, the label of pixels of other shapes: background or ignore.

    Returns:
        The dataset.

    Raises:
        InputError: The folder holds no JSON file of labelme, one of them is broken, or an option is wrong.
    """
    if root is None or not root.is_dir():
        raise InputError(
            f"dataset `labelme` needs `root`: a folder with images and labelme's JSON files; got {root}"
        )
    if not 0 <= val_share < 1:
        raise InputError(f"`val_share` of dataset `labelme` must be in [0, 1); got {val_share}; try 0.2")
    if other_objects not in ("background", "ignore"):
        raise InputError(f"`other_objects` must be background or ignore; got {other_objects!r}")
    files = visible_files(root)
    annotations = annotation_files(root, files.others)
    if not annotations:
        raise InputError(
            f"{root} holds no JSON file of labelme; expected files such as {root / 'photo 1.json'}"
        )
    found = {path: read_annotation(root / path) for path in annotations}
    image_of, missing = images_of_annotations(
        root, {path: one.image for path, one in found.items()}, files.images
    )
    flagged = not any(one.shapes for one in found.values())
    labels_of = {path: one.flags if flagged else one.labels for path, one in found.items()}
    chosen = classes or in_order({label for labels in labels_of.values() for label in labels})
    if not chosen:
        raise InputError(
            f"the JSON files of {root} have neither shapes nor flags that are set; annotate an image"
        )
    ids = ids_of(image_of.values())
    splits = splits_of_files({path: ids[image] for path, image in image_of.items()}, val_share)
    wanted = split_name(split)
    if split != "all" and wanted not in splits.values():
        raise InputError(
            f"{root} has no image in split `{split}`; {nearest(split, {*splits.values(), 'all'})}"
        )
    records: list[Record] = []
    set_aside = dict(missing) if split in ("train", "all") else {}
    remarks: dict[str, str] = {}
    for path, image in image_of.items():
        if split not in ("all", splits[path]) and wanted != splits[path]:
            continue
        name, one = ids[image], found[path]
        labels = tuple(label for label in chosen if label in labels_of[path])
        if not labels and not allow_unlabelled:
            set_aside[name] = f"{path} has no shape of a class (`allow_unlabelled` keeps it)"
            continue
        if one.open_shapes:
            remarks[f"{name}: {path}"] = (
                f"has {one.open_shapes[0]}, which has no area: the image has labels, no mask"
            )
        has_mask = not flagged and not one.open_shapes
        records.append(Record(name, root / image, labels, root / path if has_mask else None))
    if split in ("train", "all"):
        annotated = set(image_of.values())
        set_aside |= {
            str(image): "has no JSON file of labelme, so it has no label"
            for image in files.images
            if image not in annotated
        }
    if not records:
        first = next(iter(set_aside.items()), ("", "no image"))
        raise InputError(
            f"no image of split `{split}` of {root} can be used; the first, `{first[0]}`: {first[1]}"
        )
    records.sort(key=lambda record: record.id)
    reader = LabelmeMasks(tuple(chosen), other_objects)
    return Dataset("labelme", split, chosen, records, set_aside, mask_reader=reader.read, remarks=remarks)


def _splits(root: Path, options: Mapping[str, Any]) -> list[str]:
    files = annotation_files(root, visible_files(root).others)
    found = set(splits_of_files({path: str(path) for path in files}, options.get("val_share", 0.2)).values())
    return sorted(found, key=lambda name: (name != "train", name))


def _fits(root: Path) -> bool:
    return bool(annotation_files(root, visible_files(root).others, first=3))


LAYOUT = Layout("labelme", "images and labelme's JSON files, NAME.json", _fits, _splits)
