"""Built-in drawn scenes of six classes: rendered once into a folder, then read like any other dataset."""

import dataclasses
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import joblib
from PIL import Image

from wsseg.artifacts import digest, read_json, write_json, write_mask
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.mask_ids import mask_id_table
from wsseg.datasets.record import Record
from wsseg.datasets.scenes.boxes import SceneBoxes
from wsseg.datasets.scenes.generator import VERSION, render
from wsseg.datasets.scenes.heads import CLASSES
from wsseg.errors import InputError, is_whole
from wsseg.processes import started
from wsseg.progress import bar

_INDEX = "objects.json"
_KINDS = ("images", "masks", "instances")
_BATCH = 25


def scenes(
    split: str = "train",
    root: Path | None = None,
    classes: tuple[str, ...] | None = None,
    size: int = 128,
    train_images: int = 800,
    val_images: int = 200,
    seed: int = 0,
    other_objects: str = "background",
    workers: int | None = None,
) -> Dataset:
    """Return the scenes; render them first if they are not yet on disk.

    A split is a folder `ROOT/SPLIT` with `images/ID.png`, `masks/ID.png`, `instances/ID.png` and
    `objects.json`: `{"options": ..., "scenes": {ID: [{"instance", "label", "colour", "box_xyxy", "area",
    "head_area"}, ...]}}`. The folder is created atomically, even if two processes render at the same time.

    Args:
        split: train or val.
        root: Folder of the scenes; None for a folder named by a hash of the options, in `$WSSEG_CACHE` or
            `~/.cache/wsseg`.
        classes: Some of the six classes, in mask-id order; images with none of them are left out.
        size: Side of the square images, pixels; at least 32.
        train_images: Number of training images.
        val_images: Number of validation images.
        seed: Random seed of the scenes.
        other_objects: With `classes`, the label of pixels of the other classes: background or ignore.
        workers: Number of processes that render; None for one per core, 4 at most.

    Returns:
        The dataset; every record has a mask and instances.

    Raises:
        InputError: An option is out of range, or `root` holds scenes made with other options.
    """
    counts = {"train": train_images, "val": val_images}
    if split not in counts:
        raise InputError(f"dataset `scenes` has no split `{split}`; choose one of: train, val")
    for name, value, least in (
        ("size", size, 32), ("seed", seed, 0),
        ("train_images", train_images, 1), ("val_images", val_images, 1),
    ):  # fmt: skip
        if not is_whole(value, least):
            raise InputError(
                f"`{name}` of dataset `scenes` must be a whole number from {least}; got {value!r}"
            )
    size, seed, train_images, val_images = map(int, (size, seed, train_images, val_images))
    options = {"version": VERSION, "seed": seed, "size": size, "images": int(counts[split])}
    if root is None:
        name = digest([VERSION, seed, size, train_images, val_images])
        root = _cache_folder() / f"scenes-{name}"
    folder = root / split
    if not (folder / _INDEX).exists():
        _write(folder, split, options, workers)
    index = read_json(folder / _INDEX, dict, ("options", "scenes"))
    if index.get("options") != options:
        raise InputError(
            f"{folder} holds scenes made with {index.get('options')}, but {options} was asked for; delete "
            "the folder or choose another `root`"
        )
    chosen = CLASSES if classes is None else classes
    table = mask_id_table(CLASSES, chosen, other_objects)
    records = []
    for name, objects in index["scenes"].items():
        present = {item["label"] for item in objects}
        labels = tuple(label for label in chosen if label in present)
        if labels:
            image, mask, instances = (folder / kind / f"{name}.png" for kind in _KINDS)
            records.append(Record(name, image, labels, mask, instances))
    reader = SceneBoxes(folder / _INDEX, chosen, size)
    return Dataset("scenes", split, chosen, records, mask_ids=table, box_reader=reader.read)


def _cache_folder() -> Path:
    return Path(os.environ.get("WSSEG_CACHE") or Path.home() / ".cache" / "wsseg").expanduser()


def _write(folder: Path, split: str, options: dict[str, Any], workers: int | None) -> None:
    """Render a split into a temporary folder beside the final one, then rename it, so that it appears atomically."""
    partial = folder.parent / f".{split}.{uuid.uuid4().hex}.partial"
    try:
        for kind in _KINDS:
            (partial / kind).mkdir(parents=True)
        scenes_made = _render_all(partial, split, options, workers)
        write_json(partial / _INDEX, {"options": options, "scenes": scenes_made})
        try:
            partial.rename(folder)
        except OSError:
            # If another process was faster, its scenes are the same.
            if not (folder / _INDEX).exists():
                raise
    except OSError as error:
        raise InputError(
            f"cannot write scenes to {folder} ({error.strerror or error}); free some space, delete the existing "
            "folder, or choose another `root` (if `root` is not set: another WSSEG_CACHE)"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _render_all(folder: Path, split: str, options: dict[str, Any], workers: int | None) -> dict[str, Any]:
    count = options["images"]
    jobs = (
        joblib.delayed(_write_batch)(folder, split, options, start, min(start + _BATCH, count))
        for start in range(0, count, _BATCH)
    )
    # A few images are rendered faster than new processes start.
    processes = 1 if count < 8 * _BATCH else workers or min(4, os.cpu_count() or 1)
    made: dict[str, Any] = {}
    with bar(f"rendering {split} scenes", count) as advance:
        for batch in started(jobs, processes):
            made.update(batch)
            advance(count=len(batch))
    return made


def _write_batch(folder: Path, split: str, options: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    made = {}
    for index in range(start, stop):
        name = f"{split}_{index:05d}"
        scene = render(options["seed"], split, index, options["size"])
        # Level 1: noise hardly compresses, and higher levels take longer than the rendering.
        Image.fromarray(scene.image).save(folder / "images" / f"{name}.png", compress_level=1)
        write_mask(folder / "masks" / f"{name}.png", scene.mask)
        write_mask(folder / "instances" / f"{name}.png", scene.instances)
        made[name] = [dataclasses.asdict(item) for item in scene.objects]
    return made
