"""The fully connected CRF with Gaussian edge potentials: sharpens probabilities along colour edges."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from wsseg.catalogue import load, nearest
from wsseg.errors import InputError
from wsseg.refiners.unary import unary_from_probabilities

BACKENDS = {"pydensecrf": "wsseg.refiners.pydensecrf_backend:mean_field"}
"""Implementations of the mean field: `(crf, image, unary) -> marginals`."""

PRESETS: dict[str, dict[str, float]] = {
    # IRN, misc/imutils.py `crf_inference_label`: on labels with confidence 0.7.
    "irn": {
        "gaussian_sxy": 3,
        "gaussian_weight": 3,
        "bilateral_sxy": 50,
        "bilateral_srgb": 5,
        "bilateral_weight": 10,
    },
    # PSA, tool/imutils.py `crf_inference`: on the class scores; also pydensecrf's README example.
    "psa": {
        "gaussian_sxy": 3,
        "gaussian_weight": 3,
        "bilateral_sxy": 80,
        "bilateral_srgb": 13,
        "bilateral_weight": 10,
    },
    # DeepLab v2 (and CLIP-ES), found by search: bilateral weight 4, position 67, colour 3; Gaussian weight 1,
    # position 3.
    "deeplab_v2": {
        "gaussian_sxy": 3,
        "gaussian_weight": 1,
        "bilateral_sxy": 67,
        "bilateral_srgb": 3,
        "bilateral_weight": 4,
    },
    # ToCo: bilateral weight 4, position 121, colour 5; Gaussian weight 1, position 1.
    "toco": {
        "gaussian_sxy": 1,
        "gaussian_weight": 1,
        "bilateral_sxy": 121,
        "bilateral_srgb": 5,
        "bilateral_weight": 4,
    },
}
"""Parameters of public codes, all with 10 iterations and Potts compatibility."""


@dataclass(frozen=True)
class DenseCRF:
    """Mean field in a fully connected CRF with two Gaussian kernels and Potts compatibility.

    Q starts from softmax(-unary); each iteration sets Q = softmax(-unary + sum_m w_m k_m(Q)), where k_m is a
    Gaussian filter over all pixels, normalised symmetrically (norm * filter(norm * Q), norm =
    1 / sqrt(filter(1))). The smoothness kernel sees position (x, y) / gaussian_sxy, the appearance kernel
    (x, y) / bilateral_sxy and (r, g, b) / bilateral_srgb. unary = -log(clip(probability, 1e-5, 1)).

    Run it over the classes present in the image (and background) only: the time grows with K, and absent
    classes change no label.

    Args:
        gaussian_sxy: Standard deviation of the smoothness kernel, pixels.
        gaussian_weight: Its weight; 0 leaves it out.
        bilateral_sxy: Positional standard deviation of the appearance kernel, pixels.
        bilateral_srgb: Its colour standard deviation, in 0..255 units.
        bilateral_weight: Its weight; 0 leaves it out.
        iterations: Mean-field iterations.
        backend: A key of `BACKENDS`.

    Raises:
        InputError: A value is out of range, or the backend does not exist.

    Example:
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[:, 3:] = 255
        >>> probabilities = np.full((4, 6, 2), 0.5, np.float32)
        >>> probabilities[0, 0] = 0.9, 0.1
        >>> probabilities[0, 5] = 0.1, 0.9
        >>> DenseCRF.preset("irn")(image, probabilities).argmax(-1)[2].tolist()
        [0, 0, 0, 1, 1, 1]

    References:
        Kraehenbuehl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials,
        NIPS 2011: equation 3 (kernels), algorithm 1 (mean field).
    """

    gaussian_sxy: float = 3
    gaussian_weight: float = 3
    bilateral_sxy: float = 50
    bilateral_srgb: float = 5
    bilateral_weight: float = 10
    iterations: int = 10
    backend: str = "pydensecrf"

    def __post_init__(self) -> None:
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"`{name}` must be positive; got {getattr(self, name)}; see DenseCRF.preset")
        for name in ("gaussian_weight", "bilateral_weight"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"`{name}` must be 0 or more; got {getattr(self, name)}; 0 turns it off")
        if self.iterations < 1 or int(self.iterations) != self.iterations:
            raise InputError(f"`iterations` must be a positive integer; got {self.iterations}; try 10")
        if self.backend not in BACKENDS:
            raise InputError(f"unknown CRF backend `{self.backend}`; there is: {', '.join(sorted(BACKENDS))}")

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> "DenseCRF":
        """Return the CRF of a public code.

        Args:
            name: `irn`, `psa`, `deeplab_v2` or `toco`.
            **overrides: Parameters that differ from the preset, such as `iterations=5`.

        Returns:
            The CRF.

        Raises:
            InputError: There is no such preset or parameter; the message names the nearest.

        Example:
            >>> DenseCRF.preset("deeplab_v2", iterations=5).bilateral_sxy
            67
        """
        if name not in PRESETS:
            raise InputError(f"unknown CRF preset `{name}`; {nearest(name, PRESETS)}")
        known = [field.name for field in fields(cls)]
        for option in overrides:
            if option not in known:
                raise InputError(f"DenseCRF has no parameter `{option}`; {nearest(option, known)}")
        return cls(**(PRESETS[name] | overrides))

    def __call__(self, image: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """Refine the probabilities of one image.

        Args:
            image: `(H, W, 3) uint8` RGB in 0..255.
            probs: `(H, W, K) float` in [0, 1], summing to 1 over K (to 1e-3).

        Returns:
            `(H, W, K) float32` marginals, summing to 1; all ones for K = 1.

        Raises:
            InputError: Wrong dtype, axis order, size or normalisation; the message says what is expected.
        """
        image, probs = np.asarray(image), np.asarray(probs)
        _check_image(image)
        _check_probabilities(probs, image.shape[:2])
        if probs.shape[-1] == 1:
            return np.ones(probs.shape, np.float32)
        return load(BACKENDS, self.backend, "CRF backend")(self, image, unary_from_probabilities(probs))


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise InputError(f"`image` must be (H, W, 3) RGB; got {image.shape}; channels last, no batch")
    if image.dtype != np.uint8:
        raise InputError(
            f"`image` must be uint8 in 0..255; got {image.dtype}; the colour widths are in 0..255 units, so "
            "give the photograph as it was read"
        )


def _check_probabilities(probs: np.ndarray, size_hw: tuple[int, ...]) -> None:
    expected = f"`probs` must be (H, W, K) = ({size_hw[0]}, {size_hw[1]}, K)"
    if probs.ndim == 3 and probs.shape[:2] != size_hw and probs.shape[1:] == size_hw:
        raise InputError(f"{expected}, classes last; got classes first, {probs.shape}; transpose(1, 2, 0)")
    if probs.ndim != 3 or probs.shape[:2] != size_hw or probs.shape[-1] == 0:
        raise InputError(f"{expected} for this image; got {probs.shape}; resize them to the image's size")
    if probs.dtype.kind != "f":
        raise InputError(f"`probs` must be float in [0, 1]; got {probs.dtype}; see probabilities_from_labels")
    # Written so that nan fails too.
    if not (probs.min() >= 0 and np.abs(probs.sum(-1, dtype=np.float64) - 1).max() <= 1e-3):
        totals = probs.sum(-1, dtype=np.float64)
        raise InputError(
            f"`probs` must be in [0, 1] and sum to 1 over the last axis; got values {probs.min():.4g} to "
            f"{probs.max():.4g} and sums {totals.min():.4g} to {totals.max():.4g}; divide by the sum"
        )
