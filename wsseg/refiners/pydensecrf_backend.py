"""Mean field by pydensecrf: the field's reference implementation (C++, one thread, holds the GIL)."""

from typing import TYPE_CHECKING

import numpy as np

from wsseg.errors import InputError

if TYPE_CHECKING:
    from wsseg.refiners.dense_crf import DenseCRF


def mean_field(crf: "DenseCRF", image: np.ndarray, unary: np.ndarray) -> np.ndarray:
    """Run `crf` on one image.

    Args:
        crf: The parameters.
        image: `(H, W, 3) uint8` RGB.
        unary: `(H, W, K) float32` energies, K at least 2.

    Returns:
        `(H, W, K) float32` marginals.

    Raises:
        InputError: pydensecrf is not installed.
    """
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise InputError(
            f"the CRF backend `pydensecrf` cannot be imported ({error}); `pip install pydensecrf2` "
            "builds it on Python 3.11 and 3.12 and needs a C++ compiler"
        ) from error
    height, width, num_classes = unary.shape
    # pydensecrf takes (width, height), and class-major memory: unary[k, y * width + x]. Its buffers must be
    # writable, though it writes to none (a decoded image may not be).
    field = densecrf.DenseCRF2D(width, height, num_classes)
    field.setUnaryEnergy(np.require(unary.transpose(2, 0, 1), np.float32, "CW").reshape(num_classes, -1))
    if crf.gaussian_weight > 0:
        field.addPairwiseGaussian(sxy=crf.gaussian_sxy, compat=crf.gaussian_weight)
    if crf.bilateral_weight > 0:
        field.addPairwiseBilateral(
            sxy=crf.bilateral_sxy,
            srgb=crf.bilateral_srgb,
            rgbim=np.require(image, requirements="CW"),
            compat=crf.bilateral_weight,
        )
    marginals = np.array(field.inference(crf.iterations), np.float32)
    return np.ascontiguousarray(marginals.reshape(num_classes, height, width).transpose(1, 2, 0))
