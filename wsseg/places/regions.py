"""Regions of an image that can be removed one by one: superpixels and sliding windows; and growth over their atoms."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from skimage.segmentation import slic

from wsseg.errors import InputError, is_whole, nearest

KINDS = ("superpixels", "windows", "both")
SEGMENTS = (16, 48)
"""Superpixels per image at each scale: their size is about an object's body, and a part of its head."""
COMPACTNESS = 30
"""SLIC's weight of distance against colour; with scikit-image's default of 10, large superpixels follow noise and
texture."""
WINDOW_FRACTIONS = (0.4, 0.2)
"""Side of the windows at each scale, as a fraction of the image's side."""


@dataclass(frozen=True)
class Regions:
    """Regions of an image.

    Attributes:
        atoms_hw: `(H, W)` int32: number, from 0, of each pixel's atom, the smallest region or grid cell. Atoms
            divide the image without overlap; a found place is a set of atoms.
        scales: One `(R, H, W)` bool array per scale: masks of the regions of one size. They cover the image, and
            may overlap.
    """

    atoms_hw: np.ndarray
    scales: tuple[np.ndarray, ...]

    @property
    def count(self) -> int:
        """Number of regions at all scales together."""
        return sum(len(scale) for scale in self.scales)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Spread one value per region over the pixels.

        Args:
            values: `(count,)` float, one value per region, in the order of `scales`.

        Returns:
            `(H, W)` float64: the mean, over the scales, of the mean of the regions that cover the pixel.
        """
        total, start = np.zeros(self.atoms_hw.shape), 0
        for masks in self.scales:
            own = np.asarray(values[start : start + len(masks)], np.float64)
            total += np.tensordot(own, masks, axes=1) / masks.sum(axis=0)
            start += len(masks)
        return total / len(self.scales)

    def over_atoms(self, values_hw: np.ndarray) -> np.ndarray:
        """Return the mean of `(H, W)` values over each atom, `(A,)` float64."""
        atoms = self.atoms_hw.ravel()
        return np.bincount(atoms, values_hw.ravel()) / np.bincount(atoms)

    def neighbours(self) -> list[np.ndarray]:
        """Return, for each atom, the atoms that share a pixel edge with it."""
        atoms = self.atoms_hw
        pairs = np.concatenate(
            [
                np.stack([atoms[:, :-1].ravel(), atoms[:, 1:].ravel()], 1),
                np.stack([atoms[:-1].ravel(), atoms[1:].ravel()], 1),
            ]
        )
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
        ends = np.searchsorted(pairs[:, 0], np.arange(1, atoms.max() + 1))
        return np.split(pairs[:, 1], ends)


def regions_of(
    image: np.ndarray,
    kind: str = "superpixels",
    segments: Sequence[int] = SEGMENTS,
    window_fractions: Sequence[float] = WINDOW_FRACTIONS,
) -> Regions:
    """Divide an image into regions.

    Args:
        image: `(H, W, C)` uint8; 3 channels are RGB, compared as colours; others are compared channel by channel.
        kind: "superpixels" (SLIC, one set per value of `segments`), "windows" (sliding windows that overlap by half),
            or "both".
        segments: Approximate number of superpixels at each scale.
        window_fractions: Side of the windows at each scale, as a fraction of the image's side, in (0, 0.5].

    Returns:
        The regions. The atoms are the smallest superpixels, or for "windows" the cells of a grid, half as
        wide as the smallest window.

    Raises:
        InputError: `kind` is unknown, or there is no size or a size out of range.

    Example:
        >>> image = np.zeros((20, 20, 3), np.uint8)
        >>> image[:, 10:] = 255
        >>> found = regions_of(image, segments=(3,))
        >>> found.atoms_hw[0, [0, 9, 10, 19]].tolist(), [n.tolist() for n in found.neighbours()]
        ([0, 0, 1, 1], [[1, 2], [0, 3], [0, 3], [1, 2]])

    References:
        Achanta et al., SLIC Superpixels Compared to State-of-the-art Superpixel Methods, PAMI 2012;
        `skimage.segmentation.slic`.
    """
    if kind not in KINDS:
        raise InputError(f"unknown `regions` {kind!r}; {nearest(str(kind), KINDS)}")
    scales, atoms = [], None
    if kind != "windows":
        if not segments or not all(is_whole(n, 2) for n in segments):
            raise InputError(f"`segments` must be whole numbers from 2; got {segments!r}; try {SEGMENTS}")
        for number in sorted(segments):
            atoms = _superpixels(image, number)
            scales.append(atoms == np.arange(atoms.max() + 1)[:, None, None])
    if kind != "superpixels":
        # Written so that nan fails too.
        if not window_fractions or not all(0 < fraction <= 0.5 for fraction in window_fractions):
            raise InputError(
                f"`window_fractions` must be in (0, 0.5]; got {window_fractions!r}; try {WINDOW_FRACTIONS}"
            )
        cells = None
        for fraction in sorted(window_fractions, reverse=True):
            cells, masks = _windows(image.shape[:2], fraction)
            scales.append(masks)
        atoms = cells if atoms is None else atoms
    return Regions(atoms, tuple(scales))


def grow(strengths: np.ndarray, neighbours: Sequence[np.ndarray], level: float) -> list[int]:
    """Grow a connected set of atoms: start from the strongest atom, then always add the strongest that touches the set.

    Args:
        strengths: `(A,)` float: evidence of each atom.
        neighbours: For each atom, the indices of the atoms that touch it.
        level: Level that an atom's strength must exceed.

    Returns:
        The atoms in the order in which they were added; empty if no atom is above the level.

    Example:
        >>> grow(np.array([0.5, 0.9, 0.1, 0.7]), [[1], [0, 2], [1, 3], [2]], level=0.2)
        [1, 0]
    """
    strengths = np.asarray(strengths, np.float64)
    seed = int(np.argmax(strengths))
    if not strengths[seed] > level:
        return []
    taken, seen, front = [], {seed}, [(-strengths[seed], seed)]
    while front:
        _, atom = heapq.heappop(front)
        taken.append(atom)
        for other in neighbours[atom]:
            other = int(other)
            if other not in seen and strengths[other] > level:
                seen.add(other)
                heapq.heappush(front, (-strengths[other], other))
    return taken


def _superpixels(image: np.ndarray, number: int) -> np.ndarray:
    """Return SLIC's labels, `(H, W)` int32, numbered from 0 without gaps."""
    channels = image.shape[-1]
    # Lab colours reach 100, other channels 1 each: with this weight C equal channels count as one gray one.
    compactness = COMPACTNESS if channels == 3 else COMPACTNESS / 100 * math.sqrt(channels)
    labels = slic(image, n_segments=number, compactness=compactness, start_label=0, channel_axis=-1)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def _windows(size_hw: tuple[int, int], fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a grid of cell numbers, `(H, W)` int32, and the windows of 2 x 2 cells, `(R, H, W)` bool."""
    edges = []
    for side in size_hw:
        cells = min(math.ceil(2 / fraction), side)
        edges.append((np.arange(side) * cells) // side)
    rows, columns = edges
    windows = [
        ((rows == row) | (rows == row + 1))[:, None] & ((columns == column) | (columns == column + 1))
        for row in range(max(rows.max(), 1))
        for column in range(max(columns.max(), 1))
    ]
    return (rows[:, None] * (columns.max() + 1) + columns).astype(np.int32), np.stack(windows)
