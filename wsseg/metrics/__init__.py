"""Scores of masks, of maps and of image-level predictions. NumPy and SciPy only."""

from wsseg.metrics.average_precision import average_precision, mean_average_precision
from wsseg.metrics.confusion_matrix import ConfusionMatrix
from wsseg.metrics.energy_pointing_game import EnergyPointingGame
from wsseg.metrics.max_box_acc import MaxBoxAcc, box_iou
from wsseg.metrics.pixel_average_precision import PixelAveragePrecision
from wsseg.metrics.pointing_game import PointingGame
from wsseg.metrics.rank_correlation import rank_correlation
from wsseg.metrics.sparseness import Sparseness, gini_index

__all__ = [
    "ConfusionMatrix",
    "EnergyPointingGame",
    "MaxBoxAcc",
    "PixelAveragePrecision",
    "PointingGame",
    "Sparseness",
    "average_precision",
    "box_iou",
    "gini_index",
    "mean_average_precision",
    "rank_correlation",
]
