"""Classical refiners: they sharpen class maps and probabilities, and make masks. NumPy and numba, no TensorFlow."""

from wsseg.refiners.background import with_background
from wsseg.refiners.dense_crf import DenseCRF
from wsseg.refiners.labelling import label_image
from wsseg.refiners.random_walk import RandomWalk
from wsseg.refiners.resize_maps import resize_maps
from wsseg.refiners.thresholds import LevelSweep, otsu_level, sweep
from wsseg.refiners.unary import probabilities_from_labels, unary_from_probabilities

__all__ = [
    "DenseCRF",
    "LevelSweep",
    "RandomWalk",
    "label_image",
    "otsu_level",
    "probabilities_from_labels",
    "resize_maps",
    "sweep",
    "unary_from_probabilities",
    "with_background",
]
