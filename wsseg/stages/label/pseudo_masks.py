"""Make the pseudo-mask of one image, and score several choices of options on images with masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsseg.artifacts import ClassMaps, write_mask
from wsseg.datasets import Dataset, Record
from wsseg.image_files import read_image
from wsseg.metrics import ConfusionMatrix
from wsseg.processes import in_processes
from wsseg.recipe import LabelConfig
from wsseg.refiners.labelling import label_image
from wsseg.refiners.possible_labels import possible_labels, with_marked
from wsseg.stages.crf import dense_crf, worker_count
from wsseg.stages.label.annotations import annotation_of, read_annotation


def pseudo_mask(
    config: LabelConfig,
    level: float,
    record: Record,
    maps: Path,
    unsure: bool = True,
    annotation: Path | None = None,
) -> np.ndarray:
    """Make one pseudo-mask.

    Args:
        config: Options: form of the background, unsure band and CRF.
        level: Background level.
        record: Record of the image, with its labels.
        maps: Folder of class maps.
        unsure: Whether unsure pixels become 255 if `config.unsure` is set; otherwise every pixel gets a label.
        annotation: File of the image's annotation, see `wsseg.stages.label.annotations`; None for none.

    Returns:
        `(H, W) uint8`: 0 = background, 1..K, 255 = unsure.
    """
    class_maps, possible = ClassMaps.of(maps, record), None
    if not record.labels and annotation is None:
        return np.zeros(class_maps.size_hw, np.uint8)
    if annotation is not None:
        marks, boxes = read_annotation(annotation)
        class_maps = class_maps if marks is None else with_marked(class_maps, marks)
        possible = possible_labels(class_maps.class_ids, marks, boxes)
    confident = None
    if unsure and config.unsure:
        # IRN's confident labels: foreground at a high background score, background at a low one.
        sign = 1 if config.background == "constant" else -1
        much, little = level + sign * config.unsure, level - sign * config.unsure
        confident = (min(much, 0.99), max(little, 0.01)) if sign > 0 else (max(much, 0.5), little)
    return label_image(
        read_image(record.image),
        class_maps,
        config.background,
        level,
        dense_crf(config.crf),
        config.crf.unary,
        confident=confident,
        possible=possible,
    )


def write_pseudo_mask(
    config: LabelConfig, level: float, record: Record, maps: Path, path: Path, annotation: Path | None = None
) -> float:
    """Make and write one pseudo-mask; return its share of foreground pixels."""
    mask = pseudo_mask(config, level, record, maps, annotation=annotation)
    write_mask(path, mask)
    return foreground_share(mask)


def foreground_share(mask: np.ndarray) -> float:
    """Return the share of a mask's pixels that have a class, in [0, 1]."""
    return float(np.mean((mask > 0) & (mask < 255)))


def score_choices(
    choices: Sequence[tuple[LabelConfig, float]],
    dataset: Dataset,
    maps: Path,
    text: str,
    workers: int,
    labelled: Path | None = None,
) -> list[float | None]:
    """Make pseudo-masks with several choices of options, CRF included, and score each choice.

    Args:
        choices: Options of the pseudo-masks, and background level, for each choice.
        dataset: Images with masks.
        maps: Folder of the images' class maps.
        text: Text of the progress display.
        workers: Number of processes.
        labelled: Folder of a label stage, whose annotations are used for the pseudo-masks; None for none.

    Returns:
        The mIoU of each choice; None if no pixel is scored.
    """
    records = [record for record in dataset if record.mask is not None]
    reader = dataset.subset(())  # each job receives the reader of masks without all records of the dataset
    jobs = (
        (_score_image, choices, reader, record, maps, labelled and annotation_of(labelled, record))
        for record in records
    )
    totals = [ConfusionMatrix(len(dataset.classes) + 1) for _ in choices]
    for row in in_processes(jobs, text, len(records), 0, workers):
        for total, matrix in zip(totals, row):
            total.merge(matrix)
    return [float(total.miou()) if total.pixels else None for total in totals]


def score_levels(
    config: LabelConfig,
    levels: Sequence[float],
    dataset: Dataset,
    maps: Path,
    text: str,
    labelled: Path | None = None,
) -> list[tuple[float, float]]:
    """Score pseudo-masks at several background levels; return `(level, mIoU)`, without levels that have no score."""
    choices = [(config, level) for level in levels]
    workers = worker_count(config, (record.image for record in dataset))
    scores = score_choices(choices, dataset, maps, text, workers, labelled)
    return [(float(level), miou) for level, miou in zip(levels, scores) if miou is not None]


def _score_image(
    choices: Sequence[tuple[LabelConfig, float]],
    dataset: Dataset,
    record: Record,
    maps: Path,
    annotation: Path | None,
) -> list[ConfusionMatrix]:
    truth, rows = dataset.read_mask(record), []
    for config, level in choices:
        matrix = ConfusionMatrix(len(dataset.classes) + 1)
        matrix.update(pseudo_mask(config, level, record, maps, False, annotation), truth)
        rows.append(matrix)
    return rows
