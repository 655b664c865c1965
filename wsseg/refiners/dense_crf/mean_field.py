"""Mean field over two lattices, compiled.

Only K - 1 of the K labels are computed. The filtered probabilities sum to 1 over the labels, so the sum of all labels'
messages is known before the first iteration, and the last label's message is this sum minus the other messages. All
energies are relative to the last label's energy, in units of log 2. `lanes` is a tuple of at least K - 1 numbers: rows
are padded, so that few widths are compiled.
"""

import numpy as np

from wsseg.refiners.dense_crf.compiled import compiled
from wsseg.refiners.dense_crf.filtering import blur
from wsseg.refiners.dense_crf.lattice import STRIP
from wsseg.refiners.dense_crf.rows import (
    add_scaled,
    clipped,
    exp2,
    filled,
    highest,
    load,
    log2,
    put,
    raised,
    scaled,
    store,
    take,
    total,
)

WIDTHS = (1, 2, 4, 8, 16, 20, 24)
"""Row lengths that are compiled, in addition to multiples of 16. 20 is for the 21 labels of Pascal VOC."""

BLOCK = 64
"""Number of pixels that are sliced, normalised and splatted together, so that they stay in the processor's cache."""

NEVER = -1e30
"""Energy of the labels that pad a row."""


def row_length(num_classes: int) -> int:
    """Return the length of a row for K labels.

    Example:
        >>> [row_length(k) for k in (2, 3, 4, 21, 22, 81, 100)]
        [1, 2, 4, 20, 24, 80, 112]
    """
    fits = [width for width in WIDTHS if width >= num_classes - 1]
    return fits[0] if fits else -(-(num_classes - 1) // 16) * 16


@compiled
def read(probs, lowest, padding, raw, energies, unary, lanes):
    """Write log2(p_k / p_last) of each pixel, in the order of the strips.

    Args:
        probs: `(H, W, K)` float32, C-contiguous.
        lowest: Lower bound to which probabilities are clipped.
        padding: `(C,)`: 0 for a label, `NEVER` for padding.
        raw: Work memory, at least STRIP * K + C + 16 numbers.
        energies: Work memory, as large as `raw`.
        unary: `(N * C,)`: Receives the result.
        lanes: Tuple of length C, the row length.

    Returns:
        Whether all probabilities are in [0, 1] and sum to 1 at each pixel, to almost 1e-3.
    """
    height, width, classes = probs.shape
    length, flat = len(lanes), probs.reshape(-1)
    sixteen = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    absent, one = load(padding, 0, lanes), np.float32(1)
    sound, pixel = True, 0
    for left in range(0, width, STRIP):
        count = min(STRIP, width - left)
        for y in range(height):
            begin = (y * width + left) * classes
            raw[: count * classes] = flat[begin : begin + count * classes]
            for i in range(0, count * classes, 16):
                store(energies, i, log2(clipped(load(raw, i, sixteen), lowest, one)))
            for p in range(count):
                amount = np.float32(0)
                for k in range(classes):
                    amount += raw[p * classes + k]
                    sound &= raw[p * classes + k] >= 0
                sound &= abs(amount - one) <= np.float32(0.99e-3)
                row = raised(load(energies, p * classes, lanes), -energies[p * classes + classes - 1])
                store(unary, pixel * length, add_scaled(row, one, absent))
                pixel += 1
    return sound


@compiled
def write(q, q_last, raw, marginals, lanes):
    """Write the probabilities in the order of the image, including the last label."""
    height, width, classes = marginals.shape
    length, flat, pixel = len(lanes), marginals.reshape(-1), 0
    for left in range(0, width, STRIP):
        count = min(STRIP, width - left)
        for y in range(height):
            for p in range(count):
                # Padding is overwritten by the next pixel.
                store(raw, p * classes, load(q, pixel * length, lanes))
                raw[p * classes + classes - 1] = q_last[pixel]
                pixel += 1
            begin = (y * width + left) * classes
            flat[begin : begin + count * classes] = raw[: count * classes]


@compiled
def _softmax(logits, last, count, lanes):
    """Turn the energies of a block into probabilities; `last` receives those of the last label, whose energy is 0."""
    length = len(lanes)
    sixteen = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    for p in range(count):
        row = load(logits, p * length, lanes)
        top = max(highest(row), np.float32(0))
        store(logits, p * length, raised(row, -top))
        last[p] = -top
    for i in range(0, count * length, 16):
        store(logits, i, exp2(load(logits, i, sixteen)))
    for i in range(0, count, 16):
        store(last, i, exp2(load(last, i, sixteen)))
    for p in range(count):
        row = load(logits, p * length, lanes)
        share = np.float32(1) / (last[p] + total(row))
        store(logits, p * length, scaled(row, share))
        last[p] *= share


@compiled
def _splat(q, first, count, gaussian, gaussian_values, bilateral, bilateral_values, lanes):
    """Add the probabilities of a block to the lattice points around its pixels."""
    length = len(lanes)
    gaussian_points, points = gaussian_values.size // length, bilateral_values.size // length
    for p in range(count):
        row, near = load(q, p * length, lanes), (first + p) * 3
        for k in range(3):
            point = np.intp(gaussian.offsets[near + k])
            value = take(gaussian_values, gaussian_points, point, lanes)
            put(gaussian_values, gaussian_points, point, add_scaled(value, gaussian.weights[near + k], row))
        near = (first + p) * 6
        for k in range(6):
            point = np.intp(bilateral.offsets[near + k])
            value = take(bilateral_values, points, point, lanes)
            put(bilateral_values, points, point, add_scaled(value, bilateral.weights[near + k], row))


@compiled
def _slice(
    logits, first, count, unary, mixing, gaussian, gaussian_values, bilateral, bilateral_values, lanes
):
    """Write the energies of a block: unaries and messages."""
    length, one = len(lanes), np.float32(1)
    gaussian_points, points = gaussian_values.size // length, bilateral_values.size // length
    for p in range(count):
        row, near = filled(np.float32(0), lanes), (first + p) * 3
        for k in range(3):
            value = take(gaussian_values, gaussian_points, np.intp(gaussian.offsets[near + k]), lanes)
            row = add_scaled(row, gaussian.weights[near + k], value)
        near = (first + p) * 6
        for k in range(6):
            value = take(bilateral_values, points, np.intp(bilateral.offsets[near + k]), lanes)
            row = add_scaled(row, bilateral.weights[near + k], value)
        energy = load(unary, (first + p) * length, lanes)
        if mixing.size == 0:
            energy = add_scaled(raised(energy, total(row)), one, row)
        else:
            store(logits, p * length, row)
            for k in range(length):
                energy = add_scaled(energy, logits[p * length + k], load(mixing, k * length, lanes))
        store(logits, p * length, energy)


@compiled
def iterate(unary, last, tilt, mixing, gaussian, bilateral, values, logits, iterations, lanes):
    """Run the mean field.

    Args:
        unary: `(N * C,)`: Energies relative to the last label's, in the order of the strips; overwritten with the
            marginals.
        last: `(N,)`: Receives the last label's marginals.
        tilt: `(C,)`: Factor of the messages' sum for each label; -1 for Potts.
        mixing: `(C * C,)`: Factor of label l's message (row) for label k (column). Empty for Potts, where the factor
            is 1, or 2 for k = l.
        gaussian: Smoothness `Kernel`.
        bilateral: Appearance `Kernel`.
        values: Four arrays of work memory: `(points * C,)` for each kernel, twice.
        logits: Work memory, at least BLOCK * C + 16 numbers.
        iterations: Number of mean-field iterations.
        lanes: Tuple of length C, the row length.
    """
    length, pixels = len(lanes), last.size
    old, old_bilateral, new, new_bilateral = values
    leaning = load(tilt, 0, lanes)
    for step in range(iterations + 1):
        old, old_bilateral, new, new_bilateral = new, new_bilateral, old, old_bilateral
        if step > 0:
            blur(old, gaussian.chains, gaussian.ends, lanes)
            blur(old_bilateral, bilateral.chains, bilateral.ends, lanes)
        if step < iterations:
            new[:] = 0
            new_bilateral[:] = 0
        for first in range(0, pixels, BLOCK):
            count = min(BLOCK, pixels - first)
            if step > 0:
                _slice(logits, first, count, unary, mixing, gaussian, old, bilateral, old_bilateral, lanes)
            else:
                # The first step has no messages. After it, the sum of all messages is a part of the unary.
                for p in range(count):
                    pixel = first + p
                    row = load(unary, pixel * length, lanes)
                    store(logits, p * length, row)
                    whole = gaussian.whole[pixel] + bilateral.whole[pixel]
                    store(unary, pixel * length, add_scaled(row, whole, leaning))
            _softmax(logits, last[first:], count, lanes)
            if step < iterations:
                _splat(logits, first, count, gaussian, new, bilateral, new_bilateral, lanes)
            else:
                unary[first * length : (first + count) * length] = logits[: count * length]
