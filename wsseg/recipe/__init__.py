"""The recipe: options by section, each with its type, range, help and default in one place; and what reads it.

`wsseg.recipe.ranges` and `wsseg.recipe.marks` say what can stand with an option.
"""

from wsseg.recipe.classifying import ClassifyConfig, LocalizeConfig
from wsseg.recipe.data import DatasetConfig, EvaluateConfig, ReportConfig
from wsseg.recipe.detecting import DetectConfig
from wsseg.recipe.labelling import CRFConfig, CRFSearchConfig, LabelConfig, RelabelConfig, ThresholdConfig
from wsseg.recipe.plain import identity, to_plain
from wsseg.recipe.propagating import PropagateConfig
from wsseg.recipe.reading import load_recipe
from wsseg.recipe.recipe import Recipe
from wsseg.recipe.segmenting import SegmentConfig, TeacherConfig
from wsseg.recipe.supervising import SupervisionConfig
from wsseg.recipe.training import TrainingConfig, ValidatedTrainingConfig

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
    "TrainingConfig",
    "ValidatedTrainingConfig",
    "identity",
    "load_recipe",
    "to_plain",
]
