"""Scores of masks, maps, objects and image-level predictions. NumPy, SciPy and pycocotools only."""

from wsseg.metrics.average_precision import average_precision, mean_average_precision
from wsseg.metrics.boundary_scores import BoundaryScores
from wsseg.metrics.confusion_matrix import ConfusionMatrix
from wsseg.metrics.energy_pointing_game import EnergyPointingGame
from wsseg.metrics.instance_average_precision import InstanceAveragePrecision
from wsseg.metrics.mask_iou import boundary_iou, boundary_region, mask_iou
from wsseg.metrics.max_box_acc import MaxBoxAcc, box_iou
from wsseg.metrics.object_misses import ObjectMisses, find_misses, worst_images
from wsseg.metrics.panoptic_quality import PanopticQuality, Segments
from wsseg.metrics.pixel_average_precision import PixelAveragePrecision
from wsseg.metrics.pointing_game import PointingGame
from wsseg.metrics.rank_correlation import rank_correlation
from wsseg.metrics.sparseness import Sparseness, gini_index

__all__ = [
    "BoundaryScores",
    "ConfusionMatrix",
    "EnergyPointingGame",
    "InstanceAveragePrecision",
    "MaxBoxAcc",
    "ObjectMisses",
    "PanopticQuality",
    "PixelAveragePrecision",
    "PointingGame",
    "Segments",
    "Sparseness",
    "average_precision",
    "boundary_iou",
    "boundary_region",
    "box_iou",
    "find_misses",
    "gini_index",
    "mask_iou",
    "mean_average_precision",
    "rank_correlation",
    "worst_images",
]
