"""The recipe: one frozen dataclass per section."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from wsseg.recipe.classifying import ClassifyConfig, LocalizeConfig
from wsseg.recipe.data import DatasetConfig, EvaluateConfig, ReportConfig
from wsseg.recipe.detecting import DetectConfig
from wsseg.recipe.labelling import LabelConfig, RelabelConfig
from wsseg.recipe.propagating import PropagateConfig
from wsseg.recipe.ranges import Range
from wsseg.recipe.segmenting import SegmentConfig
from wsseg.recipe.supervising import SupervisionConfig

RUN_NAME = Range(
    "a folder's name, as the run folder is runs/NAME: at most 100 characters, none of / \\ : and no dot in front",
    lambda name: (
        re.fullmatch(r"[^/\\:.\s][^/\\:]{0,99}", name) and name == name.strip() and name.isprintable()
    ),
    "choose the folder itself by --run",
)


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: Name of the recipe; a run folder belongs to one recipe.
        seed: Random seed of the run.
        precision: Precision of computation: float32, or mixed_float16 on a GPU.
        jit: XLA compilation of the training steps. XLA's operations are not the deterministic ones, so a resumed
            training equals an undisturbed one only up to rounding.
        ceiling: Second training of the same segmenter (and detector) on the true masks, as the upper bound in the
            table.
    """

    name: Annotated[str, RUN_NAME] = "scenes"
    seed: Annotated[int, Range("in [0, 2^31)", lambda seed: 0 <= seed < 2**31)] = 0
    precision: Literal["float32", "mixed_float16"] = "float32"
    jit: bool = False
    ceiling: bool = False
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    classify: ClassifyConfig = field(default_factory=ClassifyConfig)
    localize: LocalizeConfig = field(default_factory=LocalizeConfig)
    propagate: PropagateConfig = field(default_factory=PropagateConfig)
    label: LabelConfig = field(default_factory=LabelConfig)
    relabel: RelabelConfig = field(default_factory=RelabelConfig)
    segment: SegmentConfig = field(default_factory=SegmentConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
