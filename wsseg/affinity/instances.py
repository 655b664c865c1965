"""Instances from displacements: pixels whose paths end at the same position belong together (IRNet)."""

import numpy as np
from skimage.measure import label

from wsseg.errors import InputError


def end_points(displacement: np.ndarray, iterations: int = 300) -> np.ndarray:
    r"""Follow the displacement field from each cell: $p \leftarrow p + d(p)$, bilinear between cells, inside the grid.

    A displacement is inaccurate far from the centre and more accurate near it, so the step is repeated many times.

    Args:
        displacement: `(h, w, 2)` float: cells down and right, from each cell to its instance's centre.
        iterations: Maximum number of steps; 300 in the public code.

    Returns:
        `(h, w, 2)` int: row and column of the end of each cell's path.

    Example:
        >>> field = np.array([[[0, 1.0], [0, 0.2], [0, -1.0]]])
        >>> end_points(field)[0].tolist()
        [[0, 1], [0, 1], [0, 1]]

    References:
        Ahn et al., CVPR 2019, section 3.3, equation 11; the public code's `find_centroids_with_refinement`.
    """
    displacement = _checked(displacement)
    height, width = displacement.shape[:2]
    now = np.stack(np.mgrid[:height, :width], axis=-1).astype(np.float32)
    limit = np.array([height - 1, width - 1], np.float32)
    for _ in range(iterations):
        low = np.floor(now).astype(int)
        high = np.minimum(low + 1, limit.astype(int))
        share = now - low
        rows = (
            displacement[low[..., 0], low[..., 1]] * (1 - share[..., 1:])
            + displacement[low[..., 0], high[..., 1]] * share[..., 1:],
            displacement[high[..., 0], low[..., 1]] * (1 - share[..., 1:])
            + displacement[high[..., 0], high[..., 1]] * share[..., 1:],
        )
        moved = np.clip(now + rows[0] * (1 - share[..., :1]) + rows[1] * share[..., :1], 0, limit)
        if np.array_equal(moved, now):
            break
        now = moved
    return np.rint(now).astype(int)


def cluster(displacement: np.ndarray, weak: float = 2.5, iterations: int = 300) -> np.ndarray:
    """Group cells by the position where their paths end.

    Cells with a short displacement are near a centre, and connected cells of this kind form one centre. A cell belongs
    to the centre in which its path ends. Cells whose paths end in no centre form one group of their own.

    Args:
        displacement: `(h, w, 2)` float, cells down and right.
        weak: Length, in cells, below which a displacement is short.
        iterations: Maximum number of steps of `end_points`.

    Returns:
        `(h, w)` int: groups 0, 1, 2 ..., without gaps.

    Raises:
        InputError: `displacement` has another form or holds NaN or infinity, or `weak` is not positive.

    Example:
        >>> field = np.zeros((1, 12, 2))
        >>> field[0, :, 1] = [1, 0, -1, -2, -3, -4, 4, 3, 2, 1, 0, -1]
        >>> cluster(field, weak=1.5).tolist()
        [[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]]

    References:
        Ahn et al., CVPR 2019, section 3.3, and the public code's `cluster_centroids`.
    """
    displacement = _checked(displacement)
    if not weak > 0:
        raise InputError(f"`weak` must be positive, in cells; got {weak}; try 2.5")
    centres = label(np.hypot(displacement[..., 0], displacement[..., 1]) < weak, connectivity=1)
    ends = end_points(displacement, iterations)
    found = centres[ends[..., 0], ends[..., 1]]
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def parted(maps: np.ndarray, groups: np.ndarray, least: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Split each class map into instances, one per group of cells.

    Args:
        maps: `(C, h, w)` float in [0, 1].
        groups: `(h, w)` int, from `cluster`.
        least: Minimum share of the class map's sum that a part needs to be an instance.

    Returns:
        `(N,)` int: the index in `maps` of each instance's class map; `(N, h, w)`: the map of each instance, 0 outside
        its group.

    Example:
        >>> sources, found = parted(np.array([[[1, 0.5, 0.8]], [[0, 0, 1]]]), np.array([[0, 0, 1]]))
        >>> sources.tolist(), found[:, 0].tolist()
        ([0, 0, 1], [[1.0, 0.5, 0.0], [0.0, 0.0, 0.8], [0.0, 0.0, 1.0]])

    References:
        Ahn et al., CVPR 2019, section 3.4: instance-wise class attention maps. `least` is an addition of wsseg.
    """
    sources, found = [], []
    for index, one in enumerate(maps):
        for group in np.unique(groups):
            part = np.where(groups == group, one, 0)
            if part.sum() > least * one.sum():
                sources.append(index)
                found.append(part)
    return np.array(sources, int), np.array(found, maps.dtype).reshape(-1, *groups.shape)


def _checked(displacement: np.ndarray) -> np.ndarray:
    displacement = np.asarray(displacement, np.float32)
    if displacement.ndim != 3 or displacement.shape[-1] != 2 or 0 in displacement.shape:
        raise InputError(f"`displacement` must be (h, w, 2), down and right; got {displacement.shape}")
    if not np.isfinite(displacement).all():
        raise InputError("`displacement` holds NaN or infinity")
    return displacement
