"""The recipe: one frozen dataclass a stage, and the dataset they share."""

from dataclasses import dataclass, field
from typing import Literal

from wsseg.recipe.classifying import ClassifyConfig, LocalizeConfig
from wsseg.recipe.data import DatasetConfig, EvaluateConfig, ReportConfig
from wsseg.recipe.detecting import DetectConfig
from wsseg.recipe.labelling import CRFConfig, CRFSearchConfig, LabelConfig, ThresholdConfig
from wsseg.recipe.propagating import PropagateConfig
from wsseg.recipe.relabelling import RelabelConfig
from wsseg.recipe.segmenting import SegmentConfig, TeacherConfig
from wsseg.recipe.supervising import SupervisionConfig

__all__ = [
    "CRFConfig",
    "CRFSearchConfig",
    "ClassifyConfig",
    "DatasetConfig",
    "DetectConfig",
    "EvaluateConfig",
    "LabelConfig",
    "LocalizeConfig",
    "PropagateConfig",
    "Recipe",
    "RelabelConfig",
    "ReportConfig",
    "SegmentConfig",
    "SupervisionConfig",
    "TeacherConfig",
    "ThresholdConfig",
]


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: Of the recipe; a run folder belongs to one recipe.
        seed: Of every random choice.
        precision: float32, or mixed_float16 on a GPU.
        jit: Compile training steps with XLA. Its operations are not the deterministic ones, so that a resumed training
            equals an undisturbed one only up to rounding.
        ceiling: Also train the same segmenter (and detector) on the true masks, as the upper bound in the table.
    """

    name: str = "scenes"
    seed: int = 0
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
