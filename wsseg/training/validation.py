"""What is measured on validation images between the epochs of a training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wsseg.classifiers.classifier import Classifier
from wsseg.classifiers.inference import classified
from wsseg.datasets import Dataset, Record
from wsseg.loading.reduction import MAX_SIDE, enlarged_argmax, reduced_size
from wsseg.metrics import ConfusionMatrix, mean_average_precision
from wsseg.one_trace import one_trace
from wsseg.recipe import ValidatedTrainingConfig
from wsseg.segmenters.inference import Predictor
from wsseg.segmenters.segmenter import Segmenter

MAP, LABEL_MAP, MIOU = "val_map", "val_label_map", "val_miou"
"""Columns of `history.csv`: classifier's mAP, segmenter's mAP of the image-level labels, segmenter's mIoU."""


@dataclass(frozen=True)
class Validation:
    """A measure of a network on validation images.

    Attributes:
        columns: Names of the values; the last is the one by which epochs are compared, higher is better.
        measure: Function that returns column -> value in [0, 1]. A value that is not defined is left out.
        pixels: Number of pixels of all images in the size that the network gets.
    """

    columns: tuple[str, ...]
    measure: Callable[[], dict[str, float]]
    pixels: int

    @property
    def score(self) -> str:
        """Name of the value by which epochs are compared."""
        return self.columns[-1]


def evenly_spaced(records: Sequence[Record], most: int) -> list[Record]:
    """Choose at most `most` records, evenly spaced in the order of their ids.

    Example:
        >>> from pathlib import Path
        >>> [record.id for record in evenly_spaced([Record(name, Path(name), ()) for name in "edcba"], 2)]
        ['a', 'c']
    """
    ranked = sorted(records, key=lambda record: record.id)
    count = min(most, len(ranked))
    return [ranked[index * len(ranked) // count] for index in range(count)]


def validate_classifier(
    model: Classifier, dataset: Dataset, config: ValidatedTrainingConfig
) -> Validation | None:
    """Measure a classifier by the mean average precision of the image-level labels: column `val_map`.

    The images are whole, at one scale and not flipped. Those whose long side is above the largest of the training
    (`long_side`) are reduced to it. Classes that no chosen image has are not counted.

    Args:
        model: The classifier that is trained.
        dataset: Validation images. Their masks are not read.
        config: Options of the training.

    Returns:
        The measure; None if `validation_images` is 0, or if no chosen image has a label.
    """
    records = evenly_spaced(list(dataset), config.validation_images)
    if not any(record.labels for record in records):
        return None
    network = one_trace(model.with_validity())
    side = _largest_side(config)

    def measure() -> dict[str, float]:
        seen, scores = [], []
        for batch, found in classified(network, dataset, records, max_side=side):
            seen += batch
            scores.append(found)
        return _finite({MAP: _label_map(dataset, seen, np.concatenate(scores))})

    return Validation((MAP,), measure, _pixels(dataset, records, side))


def validate_segmenter(
    model: Segmenter, dataset: Dataset, config: ValidatedTrainingConfig, masks: bool, factor: float = 1.0
) -> Validation | None:
    """Measure a segmenter by its image-level labels, and, if it learns from true masks, by the masks.

    Column `val_label_map` is the mean average precision of the labels, where the score of a class is its largest
    probability over the pixels of the image. It needs no mask. It tells whether a segmenter finds the classes, not how
    well it outlines them. Column `val_miou` is the mIoU over background and classes, from one confusion matrix at the
    images' own size, without a CRF.

    The images are whole, at one scale and not flipped. Those whose long side is above the largest of the training
    (`long_side`) are reduced to it. With a range of `scale` they have their own size, times `factor`; so if the
    training enlarges by `scale`, the values are lower than those of predictions at these scales.

    Args:
        model: The segmenter that is trained.
        dataset: Validation images; with `masks`, those that have a mask are chosen from.
        config: Options of the training.
        masks: Whether the masks are read. False in a weakly supervised run.
        factor: Factor by which the training enlarges images; they are measured enlarged too.

    Returns:
        The measure; None if `validation_images` is 0, or if the chosen images have neither labels nor masks to read.
    """
    known = [record for record in dataset if masks and record.mask is not None]
    records = evenly_spaced(known or list(dataset), config.validation_images)
    if not records or not (known or any(record.labels for record in records)):
        return None
    side = _largest_side(config)
    side = round(side / factor)
    predictor = Predictor(model, (factor,), flip=False, max_side=side)

    def measure() -> dict[str, float]:
        seen, scores, confusion = [], [], ConfusionMatrix(len(dataset.classes) + 1)
        for record, probabilities, own_hw in predictor.at_network_size(dataset, records):
            seen.append(record)
            scores.append(probabilities[..., 1:].max(axis=(0, 1)))
            if known:
                confusion.update(enlarged_argmax(probabilities, own_hw), dataset.read_mask(record))
        found = {LABEL_MAP: _label_map(dataset, seen, np.stack(scores))}
        return _finite(found | ({MIOU: confusion.miou()} if known else {}))

    return Validation(
        (LABEL_MAP, MIOU) if known else (LABEL_MAP,),
        measure,
        round(_pixels(dataset, records, side) * factor**2),
    )


def _largest_side(config: ValidatedTrainingConfig) -> int:
    """Return the largest long side of a measured image: that of the training, if the training has one."""
    return MAX_SIDE if config.scale is not None else config.long_side[1]


def _label_map(dataset: Dataset, records: Sequence[Record], scores: np.ndarray) -> float:
    """Return the mean average precision, or nan if a score is not finite or no class occurs."""
    if not np.isfinite(scores).all():
        return math.nan
    return mean_average_precision(scores, np.stack([dataset.label_vector(record) for record in records]))[0]


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _pixels(dataset: Dataset, records: Sequence[Record], side: int) -> int:
    return sum(math.prod(reduced_size(dataset.size_hw(record), side)) for record in records)
