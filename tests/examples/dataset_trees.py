"""A tiny dataset in the exact form of each layout: two images to train and one to validate, with a cat and a dog."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import write_mask

SIZE_HW = (24, 32)
LABELS = {"pet_1": ("cat", "dog"), "pet_2": ("dog",), "pet_3": ("cat",)}
SPLITS = {"pet_1": "train", "pet_2": "train", "pet_3": "val"}
CLASSES = ("cat", "dog")
BOXES = {"cat": (3, 4, 12, 15), "dog": (18, 6, 29, 20)}
"""Left, top, right, bottom of an object in every image that has it, from edge to edge."""


def true_mask(name: str, ids: tuple[int, int] = (1, 2)) -> np.ndarray:
    """Return the mask of an image, with these ids of cat and dog."""
    mask = np.zeros(SIZE_HW, np.uint8)
    for label, number in zip(CLASSES, ids, strict=True):
        if label in LABELS[name]:
            left, top, right, bottom = BOXES[label]
            mask[top:bottom, left:right] = number
    return mask


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def photograph(path: Path, name: str) -> None:
    save(path, np.random.default_rng(list(name.encode())).integers(0, 255, (*SIZE_HW, 3), np.uint8))


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def voc(root: Path) -> None:
    for split in ("train", "val"):
        names = [name for name, its in SPLITS.items() if its == split]
        write_text(root / f"ImageSets/Segmentation/{split}.txt", "\n".join(names) + "\n")
    for name, labels in LABELS.items():
        photograph(root / f"JPEGImages/{name}.jpg", name)
        (root / "SegmentationClass").mkdir(exist_ok=True)
        (root / "SegmentationObject").mkdir(exist_ok=True)
        write_mask(root / f"SegmentationClass/{name}.png", true_mask(name, (8, 12)))  # VOC's ids
        write_mask(root / f"SegmentationObject/{name}.png", true_mask(name))
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{box[0] + 1}</xmin><ymin>{box[1] + 1}</ymin>"
            f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
            for label, box in BOXES.items()
            if label in labels
        )
        write_text(root / f"Annotations/{name}.xml", f"<annotation>{objects}</annotation>")


def coco_content(split: str) -> dict:
    """Return COCO's annotations of a split, with outlines."""
    images = [name for name, its in SPLITS.items() if its == split]
    entries = [
        {
            "id": 10 * number + category, "image_id": number, "category_id": category, "iscrowd": 0,
            "bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top),
            "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        }
        for number, name in enumerate(images, 1)
        for category, (label, (left, top, right, bottom)) in enumerate(BOXES.items(), 1)
        if label in LABELS[name]
    ]  # fmt: skip
    return {
        "images": [
            {"id": number, "file_name": f"{name}.jpg", "height": SIZE_HW[0], "width": SIZE_HW[1]}
            for number, name in enumerate(images, 1)
        ],
        "annotations": entries,
        "categories": [{"id": number, "name": label} for number, label in enumerate(CLASSES, 1)],
    }


def coco(root: Path, annotations: str = "annotations/instances_{}2017.json", images: str = "{}2017") -> None:
    for name, split in SPLITS.items():
        photograph(root / images.format(split) / f"{name}.jpg", name)
    for split in ("train", "val"):
        write_text(root / annotations.format(split), json.dumps(coco_content(split)))


def roboflow(root: Path) -> None:
    coco(root, "{}/_annotations.coco.json", "{}")
    (root / "val").rename(root / "valid")


def datumaro(root: Path) -> None:
    coco(root, "annotations/instances_{}.json", "images/{}")


def cityscapes(root: Path, polygons: bool = True, train_ids: bool = False) -> None:
    """Write cats as persons and dogs as cars."""
    for index, (name, labels) in enumerate(LABELS.items()):
        stem = f"ulm_{index:06}_000019"
        photograph(root / f"leftImg8bit/{SPLITS[name]}/ulm/{stem}_leftImg8bit.png", name)
        folder = root / f"gtFine/{SPLITS[name]}/ulm"
        kind, ids = ("labelTrainIds", (11, 13)) if train_ids else ("labelIds", (24, 26))
        mask = true_mask(name, ids)
        save(
            folder / f"{stem}_gtFine_{kind}.png",
            np.where((mask == 0) & train_ids, 255, mask).astype(np.uint8),
        )
        if polygons:
            objects = [{"label": {"cat": "person", "dog": "car"}[label], "polygon": []} for label in labels]
            write_text(folder / f"{stem}_gtFine_polygons.json", json.dumps({"objects": objects}))


def cityscapes_masks(root: Path) -> None:
    cityscapes(root, polygons=False)


def cityscapes_train_ids(root: Path) -> None:
    cityscapes(root, polygons=False, train_ids=True)


def photographs(root: Path) -> None:
    for name in LABELS:
        photograph(root / f"images/{name}.jpg", name)
        save(root / f"masks/{name}.png", true_mask(name))


def write_rows(path: Path, rows: list[tuple], delimiter: str = ",") -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def folder(root: Path) -> None:
    photographs(root)
    rows = [(f"{name}.jpg", " ".join(labels), SPLITS[name]) for name, labels in LABELS.items()]
    write_rows(root / "labels.csv", [("image", "labels", "split"), *rows])


def one_hot(root: Path) -> None:
    photographs(root)
    rows = [
        (f"{name}.jpg", *(int(label in labels) for label in CLASSES), SPLITS[name])
        for name, labels in LABELS.items()
    ]
    write_rows(root / "labels.csv", [("image_name", *CLASSES, "split"), *rows], ";")


def object_rows(root: Path) -> None:
    photographs(root)
    rows = [
        (f"{name}.jpg", label, *BOXES[label], SPLITS[name] == "val")
        for name, labels in LABELS.items()
        for label in labels
    ]
    write_rows(
        root / "labels.csv", [("filename", "label", "xmin", "ymin", "xmax", "ymax", "is_valid"), *rows]
    )


def folds(root: Path) -> None:
    photographs(root)
    rows = [(name, "|".join(LABELS[name]), fold) for name, fold in (("pet_1", 0), ("pet_2", 2), ("pet_3", 1))]
    write_rows(root / "labels.csv", [("image", "labels", "fold"), *rows])


def arrays(root: Path) -> None:
    photographs(root)
    rows = {name: np.float32([label in labels for label in CLASSES]) for name, labels in LABELS.items()}
    np.save(root / "cls_labels.npy", rows)
    write_text(root / "classes.txt", "cat\ndog\n")


def binary(root: Path) -> None:
    for name in LABELS:
        photograph(root / f"{name}.jpg", name)
        save(root / f"{name}_mask.png", (true_mask(name) > 0).astype(np.uint8) * 255)
    write_rows(
        root / "labels.csv", [("image", "labels", "split"), *((name, "pet", SPLITS[name]) for name in LABELS)]
    )


def class_folders(root: Path) -> None:
    """One class per image here: the second image is a dog, the others cats."""
    for name in LABELS:
        place = root / SPLITS[name] / ("dog" if name == "pet_2" else "cat")
        photograph(place / f"{name}.jpg", name)
    photograph(root / "val/dog/pet_4.jpg", "pet_4")


def labelme(root: Path) -> None:
    for name, labels in LABELS.items():
        photograph(root / SPLITS[name] / f"{name}.jpg", name)
        shapes = [
            {
                "label": label, "points": [[box[0], box[1]], [box[2] - 1, box[3] - 1]], "group_id": None,
                "shape_type": "rectangle", "flags": {},
            }
            for label, box in BOXES.items()
            if label in labels
        ]  # fmt: skip
        content = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"{name}.jpg",
            "imageData": None,
        }
        content |= {"imageHeight": SIZE_HW[0], "imageWidth": SIZE_HW[1]}
        write_text(root / SPLITS[name] / f"{name}.json", json.dumps(content))


def label_img(root: Path, folder: str = "{}", annotations: str = "{}") -> None:
    for name, labels in LABELS.items():
        photograph(root / folder.format(SPLITS[name]) / f"{name}.png", name)
        objects = "".join(
            f"<object><name>{label}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
            f"<bndbox><xmin>{box[0] + 1}</xmin><ymin>{box[1] + 1}</ymin><xmax>{box[2]}</xmax>"
            f"<ymax>{box[3]}</ymax></bndbox></object>"
            for label, box in BOXES.items()
            if label in labels
        )
        size = f"<size><width>{SIZE_HW[1]}</width><height>{SIZE_HW[0]}</height><depth>3</depth></size>"
        text = f"<annotation><folder>x</folder><filename>{name}.png</filename>{size}{objects}</annotation>"
        write_text(root / annotations.format(SPLITS[name]) / f"{name}.xml", text)


def voc_xml(root: Path) -> None:
    label_img(root, "JPEGImages", "Annotations")


def camvid(root: Path) -> None:
    colours = np.uint8([(0, 0, 0), (64, 128, 64), (192, 0, 128)])
    for name in LABELS:
        photograph(root / SPLITS[name] / f"{name}.png", name)
        save(root / f"{SPLITS[name]}_labels/{name}_L.png", colours[true_mask(name)])
    write_text(root / "class_dict.csv", "name,r,g,b\nbackground,0,0,0\ncat,64,128,64\ndog,192,0,128\n")


def other_coco(root: Path) -> None:
    coco(root, "json/{}.json", "photos/{}")


def columns(root: Path) -> None:
    photographs(root)
    rows = [
        (name, "; ".join(labels), index, SPLITS[name]) for index, (name, labels) in enumerate(LABELS.items())
    ]
    write_rows(root / "labels.csv", [("who", "what", "cat", "split"), *rows], "\t")


def elsewhere(root: Path) -> None:
    folder(root)
    for name in LABELS:
        (root / "truth").mkdir(exist_ok=True)
        (root / f"masks/{name}.png").rename(root / f"truth/{name}_ids.png")


def mask_folders(root: Path) -> None:
    photographs(root)
    write_text(root / "classes.txt", "background\ncat\ndog\n")


TREES = {
    "voc": voc,
    "coco": coco,
    "roboflow": roboflow,
    "datumaro": datumaro,
    "cityscapes": cityscapes,
    "cityscapes_masks": cityscapes_masks,
    "cityscapes_train_ids": cityscapes_train_ids,
    "folder": folder,
    "one_hot": one_hot,
    "object_rows": object_rows,
    "folds": folds,
    "arrays": arrays,
    "binary": binary,
    "class_folders": class_folders,
    "labelme": labelme,
    "label_img": label_img,
    "camvid": camvid,
}
