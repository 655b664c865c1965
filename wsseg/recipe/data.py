"""Options of the dataset, and of what is scored and shown."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DatasetConfig:
    """Which images, labels and (for scoring only) masks.

    Attributes:
        name: A dataset of `wsseg.datasets`; `wsseg datasets list` lists them with their options.
        root: Its folder. Not part of a run's identity: data may move.
        classes: The foreground classes in mask-id order, or None for all that the dataset has.
        train: Split whose images are trained on.
        val: Split that the segmenter is scored on.
        options: What else the dataset takes (`other_objects` of voc, `size` of scenes ...).
    """

    name: str = "scenes"
    root: str | None = None
    classes: tuple[str, ...] | None = None
    train: str = "train"
    val: str = "val"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluateConfig:
    """Score class maps and pseudo-masks on the training split, the segmenter on the validation split.

    Attributes:
        levels: Background levels of the threshold curve and of the class maps' oracle.
        oracle_levels: Background levels at which the pseudo-masks' oracle makes them again, CRF included;
            empty for no oracle.
    """

    levels: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(1, 16))
    oracle_levels: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)


@dataclass(frozen=True)
class ReportConfig:
    """Write one page to look at.

    Attributes:
        images: Images shown of each split, the worst first.
    """

    images: int = 12
