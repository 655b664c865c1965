"""Images whose colours tell the mask."""

import numpy as np
from PIL import Image

from wsseg.artifacts import write_mask
from wsseg.datasets import Dataset, Record

COLOURS = {0: (30, 40, 50), 3: (200, 60, 20), 7: (20, 210, 90), 255: (90, 30, 230)}
"""Class id -> its colour in the image: far from each other and from the fill."""

SIZES = ((60, 90), (90, 60), (50, 50), (41, 77), (100, 33), (64, 64), (48, 96))
CLASSES = tuple("abcdefg")


def paint(mask):
    image = np.zeros((*mask.shape, 3), np.uint8)
    for value, colour in COLOURS.items():
        image[mask == value] = colour
    return image


def coded_dataset(folder):
    """Write seven such images, nothing in them symmetric, and return their dataset."""
    random, records = np.random.default_rng(0), []
    for index, (height, width) in enumerate(SIZES):
        mask = np.zeros((height, width), np.uint8)
        mask[: height // 2, : width // 3] = 3
        mask[height // 2 :, : width // 2] = 7
        top, left = random.integers(0, height - 12), random.integers(0, width - 12)
        mask[top : top + 12, left : left + 12] = 255
        Image.fromarray(paint(mask)).save(folder / f"{index}.png")
        write_mask(folder / f"{index}_mask.png", mask)
        labels = ("c", "g") if index % 2 else ("g",)
        records.append(Record(str(index), folder / f"{index}.png", labels, folder / f"{index}_mask.png"))
    return Dataset("coded", "train", CLASSES, records)
