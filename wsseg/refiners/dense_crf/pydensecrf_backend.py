"""Mean field by pydensecrf: the field's reference implementation (C++, one thread, holds the GIL)."""

from typing import TYPE_CHECKING

import numpy as np

from wsseg.errors import InputError
from wsseg.refiners.dense_crf.checks import check_values
from wsseg.refiners.unary import unary_from_probabilities

if TYPE_CHECKING:
    from wsseg.refiners.dense_crf.crf import DenseCRF


def mean_field(crf: "DenseCRF", image: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Run `crf` on one image. See `numba_backend.mean_field`; also an InputError if pydensecrf is not installed."""
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise InputError(
            f"the CRF backend `pydensecrf` cannot be imported ({error}); `pip install wsseg[pydensecrf]` "
            "builds it and needs a C++ compiler; the default `numba` gives the same labels without"
        ) from error
    check_values(probs)
    unary = unary_from_probabilities(probs)
    height, width, num_classes = unary.shape
    # pydensecrf takes (width, height), and class-major memory: unary[k, y * width + x]. It demands writable buffers,
    # although it does not write to them. A decoded image may be read-only.
    field = densecrf.DenseCRF2D(width, height, num_classes)
    field.setUnaryEnergy(np.require(unary.transpose(2, 0, 1), np.float32, "CW").reshape(num_classes, -1))
    if crf.gaussian_weight > 0:
        field.addPairwiseGaussian(sxy=crf.gaussian_sxy, compat=_compat(crf, crf.gaussian_weight))
    if crf.bilateral_weight > 0:
        field.addPairwiseBilateral(
            sxy=crf.bilateral_sxy,
            srgb=crf.bilateral_srgb,
            rgbim=np.require(image, requirements="CW"),
            compat=_compat(crf, crf.bilateral_weight),
        )
    marginals = np.array(field.inference(crf.iterations), np.float32)
    return np.ascontiguousarray(marginals.reshape(num_classes, height, width).transpose(1, 2, 0))


def _compat(crf: "DenseCRF", weight: float) -> float | np.ndarray:
    """Return the compatibility in pydensecrf's form: a number for Potts, or the matrix of the labels' costs."""
    compatibility = np.array(crf.compatibility, np.float32) * np.float32(weight)
    return compatibility if compatibility.ndim else float(compatibility)
