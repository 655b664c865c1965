"""Targets: the scores to explain, each a function of a model's output."""

from wsseg.explainers.targets.caption import Caption
from wsseg.explainers.targets.caption_token import CaptionToken
from wsseg.explainers.targets.class_scores import ClassScores, present_classes
from wsseg.explainers.targets.detection import Detection
from wsseg.explainers.targets.embedding_similarity import EmbeddingSimilarity
from wsseg.explainers.targets.given import as_target
from wsseg.explainers.targets.negated import Negated
from wsseg.explainers.targets.segmentation_pixels import SegmentationPixels
from wsseg.explainers.targets.target import Target

__all__ = [
    "Caption",
    "CaptionToken",
    "ClassScores",
    "Detection",
    "EmbeddingSimilarity",
    "Negated",
    "SegmentationPixels",
    "Target",
    "as_target",
    "present_classes",
]
