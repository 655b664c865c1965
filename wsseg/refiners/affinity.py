"""Affinities between neighbouring cells, from class boundaries (IRN) or from features (PSA)."""

import functools

import numpy as np

from wsseg.errors import InputError, require_whole


@functools.cache
def directions(radius: int) -> tuple[tuple[int, int], ...]:
    """Return the steps (down, right) to the neighbours within a radius: one step of each opposite pair, none upwards.

    Args:
        radius: Radius, cells; all neighbours are nearer than this.

    Raises:
        InputError: The radius is not a whole number, or is below 2.

    Example:
        >>> directions(2), len(directions(5))
        (((0, 1), (1, -1), (1, 0), (1, 1)), 34)
    """
    require_whole("radius", radius, least=2, hint="try 5")
    below = [
        (y, x) for y in range(1, radius) for x in range(1 - radius, radius) if x * x + y * y < radius * radius
    ]
    return tuple([(0, x) for x in range(1, radius)] + below)


@functools.cache
def path(direction: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the cells on the path to a neighbour: nearer than one cell to the straight line, both ends included.

    Example:
        >>> path((0, 2)), path((1, 3))
        (((0, 0), (0, 1), (0, 2)), ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)))

    References:
        Ahn et al., Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations, CVPR 2019, equation
        6, and its public code (`PathIndex`), the source of this distance.
    """
    down, right = direction
    return tuple(
        (y, x)
        for y in range(min(0, down), max(0, down) + 1)
        for x in range(min(0, right), max(0, right) + 1)
        if (down * x - right * y) ** 2 < down * down + right * right
    )


def edge_affinity(edge: np.ndarray, radius: int = 5) -> np.ndarray:
    r"""Return $a_{ij} = 1 - \max_{k \in path(i, j)} e_k$: cells are alike if no boundary lies between them.

    Args:
        edge: `(h, w)` float in [0, 1], the strength of the boundary.
        radius: Radius of the neighbourhood, cells.

    Returns:
        `(D, h, w)` float32 in [0, 1]: Affinity of each cell with its neighbour in each of `directions(radius)`; 0 where
        the neighbour is outside.

    Raises:
        InputError: `edge` has another shape, or values outside [0, 1].

    Example:
        >>> edge_affinity(np.array([[0, 0.75, 0]]), radius=3)[1]  # two to the right
        array([[0.25, 0.  , 0.  ]], dtype=float32)

    References:
        Ahn et al. 2019 (IRN), equation 6.
    """
    edge = np.asarray(edge)
    if edge.ndim != 2 or not edge.size:
        raise InputError(f"`edge` must be (h, w); got {edge.shape}; one image at a time, without channels")
    if not (edge.min() >= 0 and edge.max() <= 1):  # written so that nan fails too
        raise InputError(
            f"`edge` must be in [0, 1]; got {edge.min():.4g} to {edge.max():.4g}; take the sigmoid"
        )
    return _between(directions(radius), edge.shape, lambda region, step: _open_path(edge, region, step))


def feature_affinity(features: np.ndarray, radius: int = 5) -> np.ndarray:
    r"""Return $a_{ij} = \exp(-\frac{1}{C} \|f_i - f_j\|_1)$.

    Args:
        features: `(h, w, C)` float.
        radius: Radius of the neighbourhood, cells.

    Returns:
        See `edge_affinity`.

    Raises:
        InputError: `features` has another shape, or is not finite.

    Example:
        >>> feature_affinity(np.array([[[1.0, 3.0], [1.0, 1.0]]]), radius=2)[0].round(3)
        array([[0.368, 0.   ]], dtype=float32)

    References:
        Ahn and Kwak, Learning Pixel-level Semantic Affinity with Image-level Supervision, CVPR 2018, equation 2; the
        mean over the channels is from its public code.
    """
    features = np.asarray(features)
    if features.ndim != 3 or not features.size:
        raise InputError(f"`features` must be (h, w, C); got {features.shape}; one image at a time")
    if not np.isfinite(features).all():
        raise InputError("`features` must be finite; got NaN or infinity")
    features = features.astype(np.float32, copy=False)

    def alike(region: tuple[slice, slice], step: tuple[int, int]) -> np.ndarray:
        return np.exp(-np.abs(features[region] - features[_moved(region, step)]).mean(axis=-1))

    return _between(directions(radius), features.shape[:2], alike)


def _open_path(edge: np.ndarray, region: tuple[slice, slice], step: tuple[int, int]) -> np.ndarray:
    strongest = functools.reduce(np.maximum, (edge[_moved(region, cell)] for cell in path(step)))
    return 1 - strongest


def _between(steps: tuple[tuple[int, int], ...], size_hw: tuple[int, ...], alike) -> np.ndarray:
    """Fill `(D, h, w)`: for each step, the cells whose neighbour is inside; the others are 0."""
    height, width = size_hw
    found = np.zeros((len(steps), height, width), np.float32)
    for index, (down, right) in enumerate(steps):
        if down < height and abs(right) < width:
            region = slice(0, height - down), slice(max(0, -right), width - max(0, right))
            found[(index, *region)] = alike(region, (down, right))
    return found


def _moved(region: tuple[slice, slice], step: tuple[int, int]) -> tuple[slice, slice]:
    return tuple(slice(part.start + by, part.stop + by) for part, by in zip(region, step))
