"""The annotations that the label stage uses, from any source, written into its folder in one form."""

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
    """Write `annotations/ID.png` (points and scribbles) or `annotations/ID.json` (boxes). Existing files are kept.

    With `simulated`, this function opens the masks of the images. Only the annotations drawn from them are kept.

    Args:
        splits: Splits of the dataset, and the recipe that gives the kind and source of the annotations.
        train: Images to annotate, with their labels.
        out: Folder of the label stage.

    Returns:
        Number of images with annotations, and `id -> reason` for images whose annotation, or the mask to simulate it
        from, cannot be used. For these images only the labels are used.

    Raises:
        InputError: No annotation can be used.
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
    """Return the file of an image's annotation in a label stage's folder, or None if it has none."""
    for suffix in (".png", ".json"):
        path = folder / ANNOTATIONS / f"{record.id}{suffix}"
        if path.exists():
            return path
    return None


def read_annotation(path: Path) -> tuple[np.ndarray | None, Instances | None]:
    """Read a file of `write_annotations`: marks `(H, W) uint8`, or boxes."""
    return (read_mask(path), None) if path.suffix == ".png" else (None, read_instances(path))


def simulate(
    config: SupervisionConfig, seed: int, dataset: Dataset, record: Record
) -> tuple[np.ndarray | None, Instances | None]:
    """Draw the annotation of one image from its true mask. The same seed gives the same annotation.

    Returns:
        Marks `(H, W) uint8`, or boxes.

    Raises:
        InputError: The mask or the objects cannot be read.
    """
    mask = dataset.read_mask(record)
    objects = dataset.read_instances(record) if record.instances is not None else None
    regions = marked_regions(mask, objects if objects is not None and objects.masks is not None else None)
    rng = generator(seed, config.annotations, record.id)
    if not regions:  # the whole mask is 255
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
                reasons[record.id] = f"only its labels are used: {error}"
            else:
                if marks is not None or boxes is not None:
                    _write(paths[record.id], record, marks, boxes)
            advance()
    return reasons


def _read(
    config: SupervisionConfig, train: Dataset, record: Record, root: Path | None, table: BoxTable
) -> tuple[np.ndarray | None, Instances | None]:
    """Read an image's marks or boxes from the recipe's source; both results are None if the image has none."""
    size_hw = image_size_hw(record.image)
    if config.annotations in MARKS:
        source = root / f"{record.id}.png"
        return read_marks(source, len(train.classes), size_hw) if source.exists() else None, None
    return None, train.read_boxes(record) if root is None else boxes_of(table, record.id, size_hw)


def _write(path: Path, record: Record, marks: np.ndarray | None, boxes: Instances | None) -> None:
    write_mask(path, marks) if boxes is None else write_instances(path, boxes, record.id)
