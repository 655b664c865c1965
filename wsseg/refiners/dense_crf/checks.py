"""Checks of the images and probabilities that the CRF receives."""

import numpy as np

from wsseg.errors import InputError


def check_image(image: np.ndarray) -> None:
    """Raise an error if an image is not `(H, W, 3) uint8`."""
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise InputError(f"`image` must be (H, W, 3) RGB; got {image.shape}; channels last, no batch")
    if image.dtype != np.uint8:
        raise InputError(
            f"`image` must be uint8 in 0..255; got {image.dtype}; the colour widths are in 0..255 units, so "
            "give the photograph without scaling"
        )


def check_shape(probs: np.ndarray, size_hw: tuple[int, ...]) -> None:
    """Raise an error if probabilities are not `(H, W, K) float` for an image of this size."""
    expected = f"`probs` must be (H, W, K) = ({size_hw[0]}, {size_hw[1]}, K)"
    if probs.ndim == 3 and probs.shape[:2] != size_hw and probs.shape[1:] == size_hw:
        raise InputError(f"{expected}, classes last; got classes first, {probs.shape}; transpose(1, 2, 0)")
    if probs.ndim != 3 or probs.shape[:2] != size_hw or probs.shape[-1] == 0:
        raise InputError(f"{expected} for this image; got {probs.shape}; resize them to the image's size")
    if probs.dtype.kind != "f":
        raise InputError(f"`probs` must be float in [0, 1]; got {probs.dtype}; see probabilities_from_labels")


def check_values(probs: np.ndarray) -> None:
    """Raise an error if probabilities are outside [0, 1], or if their sum over the last axis is not 1 (to 1e-3)."""
    # Written so that nan fails too.
    if not (probs.min() >= 0 and np.abs(probs.sum(-1, dtype=np.float64) - 1).max() <= 1e-3):
        totals = probs.sum(-1, dtype=np.float64)
        raise InputError(
            f"`probs` must be in [0, 1] and sum to 1 over the last axis; got values {probs.min():.4g} to "
            f"{probs.max():.4g} and sums {totals.min():.4g} to {totals.max():.4g}; divide by the sum"
        )
