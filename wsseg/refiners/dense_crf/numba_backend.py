"""Mean field on our own permutohedral lattice, compiled by numba: one thread per image, without the GIL."""

import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from wsseg.refiners.dense_crf.checks import check_values
from wsseg.refiners.dense_crf.filtering import Kernel, kernel, no_kernel
from wsseg.refiners.dense_crf.lattice import STRIP, lattice
from wsseg.refiners.dense_crf.mean_field import BLOCK, NEVER, iterate, read, row_length, write
from wsseg.refiners.unary import LOWEST_PROBABILITY

if TYPE_CHECKING:
    from wsseg.refiners.dense_crf.crf import DenseCRF

KEPT_BYTES = 64 * 2**20
"""Memory for the smoothness kernels of recent image sizes, bytes. A kernel for 500 x 375 takes about 5 MB."""

_kernels: OrderedDict[tuple, Kernel] = OrderedDict()
_kernels_lock = threading.Lock()
_work = threading.local()


def mean_field(crf: "DenseCRF", image: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Run `crf` on one image.

    Args:
        crf: Parameters of the CRF.
        image: `(H, W, 3) uint8` RGB.
        probs: `(H, W, K) float`, K at least 2.

    Returns:
        `(H, W, K) float32` marginals.

    Raises:
        InputError: Probabilities are outside [0, 1] or do not sum to 1.
    """
    size_hw, classes = image.shape[:2], probs.shape[-1]
    pixels, length = size_hw[0] * size_hw[1], row_length(classes)
    lanes = (0,) * length
    padding = np.full(length, NEVER, np.float32)
    padding[: classes - 1] = 0
    unary = _memory("unary", pixels * length)
    block, energies = np.zeros((2, max(STRIP, BLOCK) * (length + 1) + length + 16), np.float32)
    lowest = np.float32(LOWEST_PROBABILITY)
    # Read-only or unaligned arrays are other types to numba, which would compile again for them.
    if not read(np.require(probs, np.float32, "CAW"), lowest, padding, block, energies, unary, lanes):
        check_values(probs)
    scale, tilt, mixing = _compatibility(crf, classes, length)
    gaussian = _smoothness(size_hw, crf.gaussian_sxy, scale * crf.gaussian_weight)
    if crf.bilateral_weight > 0:
        colours = np.require(image, requirements="CAW")
        bilateral = kernel(
            lattice(size_hw, crf.bilateral_sxy, colours, crf.bilateral_srgb), scale * crf.bilateral_weight
        )
    else:
        bilateral = no_kernel(5, pixels)
    values = tuple(
        _memory(f"values {turn} {name}", each.points * length)
        for turn in range(2)
        for name, each in (("gaussian", gaussian), ("bilateral", bilateral))
    )
    last = _memory("last", -(-pixels // 16) * 16)
    iterate(
        unary, last[:pixels], tilt, mixing, gaussian, bilateral, values, block, int(crf.iterations), lanes
    )
    marginals = np.empty((*size_hw, classes), np.float32)
    write(unary, last, block, marginals, lanes)
    return marginals


def _compatibility(crf: "DenseCRF", classes: int, length: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the factor of the messages, the tilt and the mixing (see `iterate`).

    Label k's energy is sum_l mu(k, l) m_l. Let D = mu - (mu's last row), and m_last = whole - sum of the other
    messages. The energy relative to the last label's is D(k, last) whole + sum_l (D(k, l) - D(k, last)) m_l.
    """
    in_bits = math.log2(math.e)
    if isinstance(crf.compatibility, int | float):
        return in_bits * crf.compatibility, np.full(length, -1, np.float32), np.empty(0, np.float32)
    difference = np.array(crf.compatibility)
    difference = difference - difference[-1]
    tilt, mixing = np.zeros(length, np.float32), np.zeros((length, length), np.float32)
    tilt[: classes - 1] = -difference[:-1, -1]
    mixing[: classes - 1, : classes - 1] = -(difference[:-1, :-1] - difference[:-1, -1:]).T
    return in_bits, tilt, mixing.reshape(-1)


def _smoothness(size_hw: tuple[int, ...], sxy: float, weight: float) -> Kernel:
    """Return the smoothness kernel. It depends only on the image's size, so it is kept for the next images."""
    if weight == 0:
        return no_kernel(2, size_hw[0] * size_hw[1])
    key = (*size_hw, sxy, weight)
    with _kernels_lock:
        if key in _kernels:
            _kernels.move_to_end(key)
            return _kernels[key]
    made = kernel(lattice(size_hw, sxy), weight)
    with _kernels_lock:
        _kernels[key] = made
        while sum(each.nbytes for each in _kernels.values()) > KEPT_BYTES:
            _kernels.popitem(last=False)
    return made


def _memory(name: str, size: int) -> np.ndarray:
    """Return `(size,) float32` work memory of this thread. It is not cleared, and is kept for the next image."""
    kept = getattr(_work, "arrays", None)
    if kept is None:
        kept = _work.arrays = {}
    if name not in kept or kept[name].size < size:
        kept.pop(name, None)
        room = np.empty(size + 16, np.float32)
        start = -(room.ctypes.data // 4) % 16  # at a multiple of 64 bytes, see `rows.take`
        kept[name] = room[start : start + size]
    return kept[name][:size]
