"""Options of the dataset, and of what is scored and shown."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from wsseg.recipe.marks import IGNORED_IN_HASH
from wsseg.recipe.ranges import each, from_zero, interval


@dataclass(frozen=True)
class DatasetConfig:
    """Choose the images, their labels, and (for scores only) their masks.

    Attributes:
        name: Name of a dataset of `wsseg.datasets`; `wsseg datasets list` lists them with their options.
        root: Folder of the dataset. It is not part of a run's identity: data may move.
        classes: Foreground classes in the order of the mask ids; null for all classes of the dataset.
        train: Name of the training split.
        val: Name of the validation split, on which the segmenter is scored.
        options: Further options of the dataset (`other_objects` of voc, `size` of scenes ...).
    """

    name: str = "scenes"
    root: Annotated[str | None, IGNORED_IN_HASH] = None
    classes: tuple[str, ...] | None = None
    train: str = "train"
    val: str = "val"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluateConfig:
    """Score class maps and pseudo-masks on the training split, the segmenter on the validation split.

    Attributes:
        levels: Background levels of the threshold curve, and of the class maps' oracle.
        oracle_levels: Background levels of the pseudo-masks' oracle, which makes the masks again at each level, CRF
            included; an empty list for no oracle.
    """

    levels: Annotated[tuple[float, ...], each(interval("[0, 1]"))] = tuple(
        round(0.05 * i, 2) for i in range(1, 16)
    )
    oracle_levels: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)


@dataclass(frozen=True)
class ReportConfig:
    """Write one page that shows the run.

    Attributes:
        images: Number of images shown per split, the worst first.
    """

    images: Annotated[int, from_zero()] = 12
