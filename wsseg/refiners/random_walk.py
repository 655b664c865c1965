"""Random walk: class maps spread to similar cells, and stop at dissimilar ones."""

from dataclasses import dataclass

import numpy as np

from wsseg.errors import InputError, require_whole
from wsseg.refiners.affinity import directions, edge_affinity, feature_affinity


@dataclass(frozen=True)
class RandomWalk:
    r"""Spread class maps by a random walk over neighbouring cells: $m \leftarrow m T$, repeated `steps` times.

    $T = D^{-1} A^{\circ \beta}$. $A$ holds the affinities of neighbours (a cell's affinity with itself is 1), each is
    raised to the power $\beta$, and $D$ holds their sums. Each step gives a cell the mean of its neighbours and itself,
    weighted by affinity.

    The public codes form the dense $n \times n$ matrix of all n cells and square it 8 times for $T^{256}$. Here the
    affinities are applied to the maps 256 times. This is the same product in another order, and its memory is
    proportional to n.

    Args:
        beta: Power of the affinities; with a larger power, small differences count more. 10 in IRN, 8 in PSA.
        steps: Number of steps of the walk; 256 in the public codes.
        radius: Radius of the neighbourhood, cells; all neighbours are nearer than this.

    Raises:
        InputError: A value is out of range.

    Example:
        >>> edges = np.zeros((1, 8))
        >>> edges[0, 5] = 1  # a boundary that nothing passes
        >>> seed = np.zeros((1, 8, 1), np.float32)
        >>> seed[0, 1] = 1
        >>> RandomWalk()(seed, edges)[0, :, 0].round(2)
        array([0.2, 0.2, 0.2, 0.2, 0.2, 0. , 0. , 0. ], dtype=float32)

    References:
        Ahn and Kwak, CVPR 2018 (PSA), equation 7 and section 3.3; Ahn et al., CVPR 2019 (IRN), section 3.4.
    """

    beta: float = 10
    steps: int = 256
    radius: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.beta < np.inf:
            raise InputError(f"`beta` must be positive; got {self.beta}; try 10")
        require_whole("steps", self.steps, least=0, hint="try 256")
        directions(self.radius)

    def __call__(self, class_maps: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Walk where no boundary lies between two cells (IRN).

        Args:
            class_maps: `(h, w, K)` float.
            edges: `(h, w)` float in [0, 1], the strength of the boundary.

        Returns:
            `(h, w, K)` float32; each value is between the smallest and the largest value of its map.

        Raises:
            InputError: An argument has another shape, or values that are out of range or not finite.
        """
        return self.over(class_maps, edge_affinity(edges, self.radius))

    def over_features(self, class_maps: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Walk where features are similar (PSA): like `__call__`, with `features` `(h, w, C)` float."""
        return self.over(class_maps, feature_affinity(features, self.radius))

    def over(self, class_maps: np.ndarray, affinities: np.ndarray) -> np.ndarray:
        """Walk over given affinities: like `__call__`, with `affinities` `(D, h, w)` in [0, 1], see `edge_affinity`."""
        from wsseg.refiners.walk_step import walk_step  # imported here because numba takes a while to import

        class_maps, affinities = np.asarray(class_maps), np.asarray(affinities)
        neighbours = np.array(directions(self.radius))
        if affinities.ndim != 3 or len(affinities) != len(neighbours):
            raise InputError(
                f"`affinities` must be ({len(neighbours)}, h, w) for radius {self.radius}; got {affinities.shape}"
            )
        if not (affinities.min() >= 0 and affinities.max() <= 1):
            raise InputError(
                f"`affinities` must be in [0, 1]; got {affinities.min():.4g} to {affinities.max():.4g}"
            )
        height, width = affinities.shape[1:]
        if class_maps.ndim != 3 or class_maps.shape[:2] != (height, width):
            raise InputError(
                f"`class_maps` must be ({height}, {width}, K), the size of the edges, features or affinities; "
                f"got {class_maps.shape}; resize_maps resizes class maps (C, h, w)"
            )
        if not np.isfinite(class_maps).all():
            raise InputError("`class_maps` must be finite; got NaN or infinity")
        powers = np.ascontiguousarray(affinities, np.float32) ** np.float32(self.beta)
        ones = np.ones((1, height, width))
        sums = walk_step(ones, powers, neighbours, np.empty_like(ones))
        # float64, because in float32 the rounding errors of 256 steps add up to more than 1e-4.
        now = np.array(np.moveaxis(class_maps, -1, 0), np.float64, order="C")
        then = np.empty_like(now)
        for _ in range(self.steps):
            walk_step(now, powers, neighbours, then)
            then /= sums
            now, then = then, now
        return np.moveaxis(now, 0, -1).astype(np.float32, order="C")
