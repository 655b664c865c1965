"""Scores of masks and of image-level predictions. NumPy only."""

from wsseg.metrics.average_precision import average_precision, mean_average_precision
from wsseg.metrics.confusion_matrix import ConfusionMatrix

__all__ = ["ConfusionMatrix", "average_precision", "mean_average_precision"]
