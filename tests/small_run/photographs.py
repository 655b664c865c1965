"""Photographs with a CSV of labels, as a user has them, made of rendered scenes."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import write_mask
from wsseg.datasets.scenes.generator import render

CLASSES = ("beetle", "clownfish", "daisy", "sunflower", "swordfish", "weevil")
SPLITS = {"train": 12, "val": 5, "calibration": 4}


def write_photographs(root: Path, masks: bool = True) -> dict[str, str]:
    """Write a dataset for `folder`, with a column `split`; sizes differ.

    Args:
        root: A new folder.
        masks: Also write masks.

    Returns:
        File name -> its row in `labels.csv`.
    """
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = {}
    for split, count in SPLITS.items():
        for index in range(count):
            scene = render(3, split, index, 64)
            height = 64 if index % 3 else 48
            name = f"{split} {index}.png"
            labels = sorted({item.label for item in scene.objects})
            Image.fromarray(scene.image[:height]).save(root / "images" / name)
            if masks:
                # The scenes' order of classes is another than the alphabet's, which `folder` takes.
                mask = np.zeros_like(scene.mask)
                for item in scene.objects:
                    mask[scene.instances == item.instance] = CLASSES.index(item.label) + 1
                write_mask(root / "masks" / f"{split} {index}.png", mask[:height])
            rows[name] = f"{name},{' '.join(labels)},{split}"
    write_labels(root, rows)
    return rows


def write_labels(root: Path, rows: dict[str, str]) -> None:
    """Write `labels.csv` anew."""
    (root / "labels.csv").write_text("\n".join(["image,labels,split", *rows.values()]) + "\n")


def written_labels(root: Path) -> list[dict[str, str]]:
    """Read `labels.csv`."""
    with (root / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))
