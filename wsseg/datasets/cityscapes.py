"""Cityscapes: street scenes with fine or coarse masks, and with instances.

    ROOT/leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png
    ROOT/gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png       8 bits: ids of the 34 labels
    ROOT/gtFine/SPLIT/CITY/NAME_gtFine_instanceIds.png    16 bits: see `wsseg.datasets.cityscapes_truth`
    ROOT/gtFine/SPLIT/CITY/NAME_gtFine_polygons.json      the polygons drawn, for the image-level labels
    ROOT/gtFine/SPLIT/CITY/NAME_gtFine_labelTrainIds.png  8 bits: train ids, read where there are no label ids
    ROOT/gtCoarse/...                                     the same with gtCoarse in the names

SPLIT is train (2,975 images), val (500) or test (1,525, whose annotations are not public). Coarse annotations also have
train_extra (19,998).

References:
    Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016; cityscapesScripts.
"""

from pathlib import Path

from wsseg.datasets.cityscapes_truth import (
    CITYSCAPES_CLASSES,
    TRAIN_IDS,
    CityscapesInstances,
    CityscapesMasks,
    label_id_table,
    labels_of_mask,
    labels_of_polygons,
)
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layout import Layout
from wsseg.datasets.record import Record
from wsseg.errors import InputError, nearest
from wsseg.progress import bar

IMAGES = "leftImg8bit"
FOLDERS = {"fine": "gtFine", "coarse": "gtCoarse"}


def cityscapes(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    annotations: str = "fine",
    labels: str = "polygons",
    other_objects: str = "background",
    allow_unlabelled: bool = False,
) -> Dataset:
    """Return a split of Cityscapes.

    The 19 evaluated classes are mask ids 1..19: Cityscapes' train id plus 1. Cityscapes has no background class, so
    with all 19 classes no pixel is 0; pixels of labels that are not evaluated are ignored (255). Images without
    annotations are set aside, and images with none of the classes are not part of the dataset, unless
    `allow_unlabelled` is set.

    Args:
        split: train, val, test, or train_extra with coarse annotations: a folder of leftImg8bit.
        root: Folder that contains leftImg8bit and gtFine or gtCoarse.
        classes: Some of the 19 classes, in mask-id order; None for all, in the order of their train ids.
        annotations: fine or coarse.
        labels: Source of the image-level labels: `polygons` (the names of the polygons; a polygon may be hidden
            behind others), or `masks` (the classes in the mask: pixel labels, so not weak supervision; every mask is
            read when the dataset is opened), which `wsseg datasets check` proposes where there are no polygons.
        other_objects: With `classes`, the label of pixels of the other evaluated classes: background or ignore.
        allow_unlabelled: Whether to keep images with none of the classes, and images without annotations, such as
            those of test. An image whose mask file is missing is kept without a mask.

    Returns:
        The dataset.

    Raises:
        InputError: A folder is missing (the message names it), no image can be used, or an option is wrong.
    """
    if root is None:
        raise InputError("dataset `cityscapes` needs `root`: the folder that contains leftImg8bit and gtFine")
    if annotations not in FOLDERS:
        raise InputError(f"`annotations` of dataset `cityscapes` must be fine or coarse; got {annotations!r}")
    if labels not in ("polygons", "masks"):
        raise InputError(f"`labels` of dataset `cityscapes` must be polygons or masks; got {labels!r}")
    chosen = CITYSCAPES_CLASSES if classes is None else classes
    table = label_id_table(chosen, other_objects)
    kind = FOLDERS[annotations]
    images = _images(root, split, kind, allow_unlabelled)
    records: list[Record] = []
    set_aside: dict[str, str] = {}
    with bar(f"reading labels of {split}", len(images)) as advance:
        for image in images:
            name = image.name.removesuffix(f"_{IMAGES}.png")
            folder = root / kind / split / image.parent.name
            mask, train_ids, instances, polygons = (
                folder / f"{name}_{kind}_{part}"
                for part in ("labelIds.png", TRAIN_IDS, "instanceIds.png", "polygons.json")
            )
            mask = train_ids if train_ids.exists() and not mask.exists() else mask
            try:
                if not folder.is_dir():
                    raise InputError(f"{folder} does not exist: the images of this city have no annotations")
                source = polygons if labels == "polygons" else mask
                if not source.exists():
                    hint = (
                        "; `labels: masks` takes them from the mask"
                        if mask.exists() and source != mask
                        else ""
                    )
                    raise InputError(f"{source} does not exist, so the image has no labels{hint}")
                present = labels_of_polygons(source) if labels == "polygons" else labels_of_mask(source)
            except InputError as error:
                if not allow_unlabelled:
                    set_aside[name] = str(error)
                    continue
                present = frozenset()
            finally:
                advance()
            kept = tuple(label for label in chosen if label in present)
            if kept or allow_unlabelled:
                # An instance map without a mask is half an annotation, so it is not used.
                there = instances if mask.exists() and instances.exists() else None
                records.append(Record(name, image, kept, mask if mask.exists() else None, there))
    if not records:
        why = f" (first: {next(iter(set_aside.values()))})" if set_aside else ""
        raise InputError(
            f"no image of split `{split}` of {root} can be used: of {len(images)}, {len(set_aside)} set aside{why}, "
            "the others have none of the classes; `allow_unlabelled` keeps images without labels, such as those of test"
        )
    return Dataset(
        "cityscapes",
        split,
        chosen,
        records,
        set_aside,
        table,
        instance_reader=CityscapesInstances(table),
        mask_reader=CityscapesMasks().read,
    )


def splits_with(root: Path, kind: str) -> list[str]:
    """Return the splits that should have annotations of a kind, gtFine or gtCoarse.

    These are all splits with images, without test, demoVideo, and splits that have only annotations of the other kind.
    """
    other = next(folder for folder in FOLDERS.values() if folder != kind)
    return [
        split
        for split in _folders(root / IMAGES)
        if split not in ("test", "demoVideo")
        and ((root / kind / split).is_dir() or not (root / other / split).is_dir())
    ]


def _images(root: Path, split: str, kind: str, without: bool) -> list[Path]:
    """Return the images of a split; `without` says whether annotations may be missing."""
    splits = _folders(root / IMAGES)
    if not splits:
        raise InputError(
            f"{root} has no folder {IMAGES} with splits; give the folder that contains {IMAGES} and {kind}"
        )
    if split not in splits:
        raise InputError(f"{root / IMAGES} has no split `{split}`; {nearest(split, splits)}")
    if not (root / kind / split).is_dir() and not without:
        other = next((name for name, folder in FOLDERS.items() if (root / folder / split).is_dir()), None)
        hint = f"try `annotations: {other}`" if other else "`allow_unlabelled` reads the images alone"
        raise InputError(
            f"{root / kind / split} does not exist, so split `{split}` has no annotations; {hint}"
        )
    images = sorted((root / IMAGES / split).glob(f"*/*_{IMAGES}.png"))
    if not images:
        raise InputError(f"{root / IMAGES / split} holds no image CITY/NAME_{IMAGES}.png")
    return images


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _proposed(root: Path) -> dict[str, str]:
    """Return `labels: masks` where no image has polygons."""
    kinds = [kind for kind in FOLDERS.values() if (root / kind).is_dir()]
    polygons = any(next((root / kind).glob("*/*/*_polygons.json"), None) for kind in kinds)
    return {"labels": "masks"} if kinds and not polygons else {}


LAYOUT = Layout(
    "cityscapes",
    IMAGES,
    lambda root: (root / IMAGES).is_dir(),
    lambda root, options: splits_with(root, FOLDERS.get(options.get("annotations", "fine"), "gtFine")),
    _proposed,
    {
        "labels": "there are no polygons: the classes in the masks, which are pixel labels and no weak supervision"
    },
)
