"""Small photographs of tiles in one folder per class, with masks of gray levels and soft edges beside them."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

CLASSES = ("T_Blob", "T_Line")
NOTHING = "T_Free"
BACK, BLOB, LINE = 120, 240, 10
"""Gray levels of a tile, of a blob and of a line."""


def write_tile(
    root: Path, folder: str, name: str, seed: int, size_hw: tuple[int, int] = (48, 64)
) -> np.ndarray:
    """Write `FOLDER/Imgs/NAME.jpg` and the mask `NAME.png`; return where the object is, `(H, W) bool`."""
    rng = np.random.default_rng(seed)
    height, width = size_hw
    true = np.zeros(size_hw, bool)
    if folder == CLASSES[0]:
        top, left = rng.integers(4, height - 20), rng.integers(4, width - 20)
        true[top : top + 16, left : left + 16] = True
    elif folder == CLASSES[1]:
        row = rng.integers(8, height - 10)
        true[row : row + 4] = True
    levels = np.where(true, BLOB if folder == CLASSES[0] else LINE, BACK) + rng.normal(0, 3, size_hw)
    place = root / folder / "Imgs"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).save(place / f"{name}.jpg", quality=95)
    mask = Image.fromarray(true.astype(np.uint8) * 255)
    mask.filter(ImageFilter.BoxBlur(1)).save(place / f"{name}.png")
    return true


def write_tiles(root: Path, count: int = 10) -> None:
    """Write `count` tiles of each class, and as many without an object."""
    for index, folder in enumerate((*CLASSES, NOTHING)):
        for number in range(count):
            write_tile(root, folder, f"exp{index}_num_{number}", 100 * index + number)
