"""Noisy linear imputation: each removed pixel becomes the weighted mean of its neighbours, plus noise."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from wsseg.errors import InputError

DIRECT, DIAGONAL = 1 / 6, 1 / 12
"""Weights of the 4 direct and the 4 diagonal neighbours (Rong et al., equation 4)."""

_OFFSETS = [(dy, dx, DIAGONAL if dy and dx else DIRECT) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def linear_system(image: np.ndarray, removed_hw: np.ndarray) -> tuple[sparse.csc_array, np.ndarray]:
    r"""Return the linear equations that make each removed pixel the weighted mean of its neighbours.

    $\sum_{n \in N(p)} w_n x_p - \sum_{n \in N(p), removed} w_n x_n = \sum_{n \in N(p), kept} w_n x_n$ for every
    removed pixel p, with the weight 1/6 for direct and 1/12 for diagonal neighbours. At the image's edge, only the
    neighbours inside the image count.

    Args:
        image: `(H, W, C)` float.
        removed_hw: `(H, W)` bool, True at removed pixels; at least one pixel must be kept.

    Returns:
        `(n, n)` matrix and `(n, C)` right-hand side, float64, for the n removed pixels in reading order.

    Raises:
        InputError: The shapes do not match, or no pixel is kept.
    """
    image, removed = np.asarray(image, np.float64), np.asarray(removed_hw)
    if image.ndim != 3 or removed.shape != image.shape[:2] or removed.dtype != bool:
        raise InputError(
            f"`image` {image.shape} must be (H, W, C), `removed_hw` {removed.shape} {removed.dtype} (H, W) bool"
        )
    if removed.all():
        raise InputError("`removed_hw` leaves no pixel to impute from; keep at least one (False)")
    count = int(removed.sum())
    unknown = np.full(removed.shape, -1)
    unknown[removed] = np.arange(count)
    y, x = np.nonzero(removed)
    right, diagonal = np.zeros((count, image.shape[-1])), np.zeros(count)
    rows, columns, values = [], [], []
    for dy, dx, weight in _OFFSETS:
        there = (y + dy >= 0) & (y + dy < image.shape[0]) & (x + dx >= 0) & (x + dx < image.shape[1])
        one = np.flatnonzero(there)
        at = (y[one] + dy, x[one] + dx)
        diagonal[one] += weight
        known = unknown[at] < 0
        right[one[known]] += weight * image[at[0][known], at[1][known]]
        rows.append(one[~known])
        columns.append(unknown[at][~known])
        values.append(np.full(len(rows[-1]), -weight))
    every = np.arange(count)
    entries = (
        np.concatenate([*values, diagonal]),
        (np.concatenate([*rows, every]), np.concatenate([*columns, every])),
    )
    return sparse.csc_array(sparse.coo_array(entries, shape=(count, count))), right


def impute(
    image: np.ndarray, removed_hw: np.ndarray, noise: float = 0.01, random: np.random.Generator | None = None
) -> np.ndarray:
    """Replace removed pixels by the solution of `linear_system`, and add noise to them.

    With a constant or a blur, the model can see which pixels are missing, and their shape may reveal the class. The
    imputation reveals less of it.

    Args:
        image: `(H, W, C)` float in [0, 255].
        removed_hw: `(H, W)` bool, True at removed pixels; at least one pixel must be kept.
        noise: Standard deviation of the noise, as a share of 255 (the paper's code: 0.01 in its own units).
        random: Random generator of the noise; None for a generator with seed 0.

    Returns:
        `(H, W, C)` float32; kept pixels are unchanged. The noise may exceed [0, 255] slightly.

    Raises:
        InputError: See `linear_system`.

    Example:
        >>> row = np.array([[[10.0], [0.0], [30.0]]])
        >>> impute(row, np.array([[False, True, False]]), noise=0.0)[0, :, 0].tolist()
        [10.0, 20.0, 30.0]

    References:
        Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022, section 5.
    """
    result = np.array(image, np.float32)
    matrix, right = linear_system(image, removed_hw)
    if not len(right):
        return result
    # The matrix is symmetric and diagonally dominant, so diagonal pivots are safe; they give less fill-in.
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    random = np.random.default_rng(0) if random is None else random
    result[removed_hw] = factors.solve(right) + 255 * noise * random.standard_normal(right.shape)
    return result
