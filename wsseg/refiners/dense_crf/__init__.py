"""The dense CRF: parameters, presets, and the mean field on a permutohedral lattice."""

from wsseg.refiners.dense_crf.crf import BACKENDS, DenseCRF
from wsseg.refiners.dense_crf.presets import PRESETS

__all__ = ["BACKENDS", "PRESETS", "DenseCRF"]
