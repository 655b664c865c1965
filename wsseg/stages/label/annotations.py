"""The annotations that the label stage goes by, put into its folder in one form wherever they come from."""

from pathlib import Path

import numpy as np

from wsseg.annotations import MARKS
from wsseg.annotations.box_table import BoxTable, boxes_of, read_box_table
from wsseg.annotations.boxes import simulated_boxes
from wsseg.annotations.mark_files import read_marks
from wsseg.annotations.points import simulated_points
from wsseg.annotations.regions import marked_regions
from wsseg.annotations.scribbles import simulated_scribbles
from wsseg.artifacts import read_mask, write_mask
from wsseg.datasets import Dataset, Record
from wsseg.datasets.image_draws import generator
from wsseg.errors import InputError
from wsseg.file_names import ANNOTATIONS
from wsseg.image_files import image_size_hw
from wsseg.objects.instance_files import read_instances, write_instances
from wsseg.objects.instances import Instances
from wsseg.processes import in_processes
from wsseg.progress import bar
from wsseg.recipe import SupervisionConfig
from wsseg.supervision.splits import Splits


def write_annotations(splits: Splits, train: Dataset, out: Path) -> tuple[int, dict[str, str]]:
    """Write `annotations/ID.png` (points and scribbles) or `annotations/ID.json` (boxes); what is there is kept.

    With `simulated`, this opens the masks of the images, and nothing but the annotations leaves it.

    Args:
        splits: The dataset's splits, and the recipe that says which annotations, and from where.
        train: The images to annotate, with their labels.
        out: The label stage's folder.

    Returns:
        How many images have annotations, and the reasons of those whose annotation, or the mask to simulate it from,
        cannot be used; these go by their labels alone.

    Raises:
        InputError: None of several annotations can be used.
    """
    recipe = splits.recipe
    config, folder = recipe.supervision, out / ANNOTATIONS
    folder.mkdir(exist_ok=True)
    suffix = ".png" if config.annotations in MARKS else ".json"
    paths = {record.id: folder / f"{record.id}{suffix}" for record in train}
    left = [record for record in train if not paths[record.id].exists()]
    reasons: dict[str, str] = {}
    if config.simulated:
        truth = splits.train(masks=True).subset(record.id for record in left)
        records, reader = [record for record in truth if record.mask is not None], truth.subset(())
        jobs = ((_simulate, config, recipe.seed, reader, record, paths[record.id]) for record in records)
        failed = in_processes(jobs, f"simulated {config.annotations}", len(records), 0, recipe.label.workers)
        reasons = {record.id: reason for record, reason in zip(records, failed) if reason}
    else:
        reasons = _copy(config, train, left, paths)
    count = sum(path.exists() for path in paths.values())
    if reasons and not count:
        raise InputError(
            f"none of the {len(reasons)} annotations can be used: {next(iter(reasons.values()))}"
        )
    return count, reasons


def annotation_of(folder: Path, record: Record) -> Path | None:
    """Return the file of an image's annotation in a label stage's folder, or None where it has none."""
    for suffix in (".png", ".json"):
        path = folder / ANNOTATIONS / f"{record.id}{suffix}"
        if path.exists():
            return path
    return None


def read_annotation(path: Path) -> tuple[np.ndarray | None, Instances | None]:
    """Read what `write_annotations` has written: marks `(H, W) uint8`, or boxes."""
    return (read_mask(path), None) if path.suffix == ".png" else (None, read_instances(path))


def simulate(
    config: SupervisionConfig, seed: int, dataset: Dataset, record: Record
) -> tuple[np.ndarray | None, Instances | None]:
    """Draw the annotation of one image from its true mask; the same one in every run with this seed.

    Returns:
        Marks `(H, W) uint8`, or boxes.

    Raises:
        InputError: The mask or the objects cannot be read.
    """
    mask = dataset.read_mask(record)
    objects = dataset.read_instances(record) if record.instances is not None else None
    regions = marked_regions(mask, objects if objects is not None and objects.masks is not None else None)
    rng = generator(seed, config.annotations, record.id)
    if not regions:  # all of it is 255
        none = np.full_like(mask, 255), Instances([], np.zeros((0, 4)), mask.shape)
        return (none[0], None) if config.annotations in MARKS else (None, none[1])
    if config.annotations == "boxes":
        return None, simulated_boxes(regions, rng, config.loosened)
    draw = {"points": simulated_points, "scribbles": simulated_scribbles}[config.annotations]
    return draw(regions, rng, config.width), None


def _simulate(
    config: SupervisionConfig, seed: int, dataset: Dataset, record: Record, path: Path
) -> str | None:
    try:
        _write(path, record, *simulate(config, seed, dataset, record))
    except InputError as error:
        return f"no annotation could be simulated: {error}"
    return None


def _copy(
    config: SupervisionConfig, train: Dataset, left: list[Record], paths: dict[str, Path]
) -> dict[str, str]:
    root = None if config.annotations_root is None else Path(config.annotations_root).expanduser()
    table = read_box_table(root, train.classes) if root is not None and config.annotations == "boxes" else {}
    reasons = {}
    with bar(f"reading {config.annotations}", len(left)) as advance:
        for record in left:
            try:
                marks, boxes = _read(config, train, record, root, table)
            except InputError as error:
                reasons[record.id] = f"goes by its labels alone: {error}"
            else:
                if marks is not None or boxes is not None:
                    _write(paths[record.id], record, marks, boxes)
            advance()
    return reasons


def _read(
    config: SupervisionConfig, train: Dataset, record: Record, root: Path | None, table: BoxTable
) -> tuple[np.ndarray | None, Instances | None]:
    """Read an image's marks or boxes from where the recipe says they are; neither, where it has none."""
    size_hw = image_size_hw(record.image)
    if config.annotations in MARKS:
        source = root / f"{record.id}.png"
        return read_marks(source, len(train.classes), size_hw) if source.exists() else None, None
    return None, train.read_boxes(record) if root is None else boxes_of(table, record.id, size_hw)


def _write(path: Path, record: Record, marks: np.ndarray | None, boxes: Instances | None) -> None:
    write_mask(path, marks) if boxes is None else write_instances(path, boxes, record.id)
