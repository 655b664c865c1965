"""Simulated scribbles: a stroke along the middle of each object."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from skimage.draw import line
from skimage.morphology import skeletonize

from wsseg.annotations.points import dot, inscribed_point
from wsseg.annotations.regions import Region
from wsseg.artifacts import IGNORE

TRIMMED = 0.2
"""Maximum share of a stroke that is cut off at each end."""


def simulated_scribbles(regions: Sequence[Region], rng: np.random.Generator, width: int = 3) -> np.ndarray:
    """Draw a stroke in each region: the longest path along its medial axis, smoothed, without its ends.

    Args:
        regions: Regions from `marked_regions`, at least one.
        rng: Random generator of the shares cut off at the ends.
        width: Width of a stroke, pixels; a stroke does not leave its region. A region too small for a stroke gets a
            dot.

    Returns:
        `(H, W) uint8` marks: 0 = background, 1..K, 255 = unmarked.

    Example:
        >>> region = np.zeros((7, 20), bool)
        >>> region[1:6, 1:19] = True
        >>> marks = simulated_scribbles([(2, region)], np.random.default_rng(0), width=1)
        >>> set(np.nonzero(marks == 2)[0].tolist()) <= {2, 3, 4}  # around the middle row
        True
    """
    marks = np.full(regions[0][1].shape, IGNORE, np.uint8)
    for label, region in regions:
        marks[stroke(region, rng, width)] = label
    return marks


def stroke(region: np.ndarray, rng: np.random.Generator, width: int) -> np.ndarray:
    """Return the pixels `(H, W) bool` of one region's stroke."""
    ends = rng.uniform(0, TRIMMED, 2)
    path = longest_path(skeletonize(region))
    smooth = ndimage.gaussian_filter1d(path.astype(float), max(len(path) / 20, 1), axis=0, mode="nearest")
    first, last = (ends * [1, -1] * len(path)).astype(int)
    places = np.round(smooth[first : len(path) + last]).astype(int)
    drawn = np.zeros(region.shape, bool)
    for one, other in itertools.pairwise(places):
        drawn[line(*one, *other)] = True
    if not (drawn & region).any():
        return dot(inscribed_point(region, rng), region, width)
    return (ndimage.distance_transform_edt(~drawn) <= width / 2) & region


def longest_path(skeleton: np.ndarray) -> np.ndarray:
    """Return the longest path through the largest connected component of a skeleton.

    The path starts at the pixel that is farthest from an arbitrary pixel, and ends at the pixel that is farthest from
    the start. In a tree this is the longest of all shortest paths; in a skeleton with rings it is nearly so.

    Args:
        skeleton: `(H, W) bool`, one pixel wide; pixels have 8 neighbours.

    Returns:
        `(L, 2) int`: rows and columns along the path; `(0, 2)` for an empty skeleton.
    """
    places = np.argwhere(skeleton)
    if not len(places):
        return np.zeros((0, 2), int)
    number = np.full(np.add(skeleton.shape, 2), -1)
    number[1:-1, 1:-1][skeleton] = np.arange(len(places))
    starts, ends, lengths = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = number[places[:, 0] + 1 + down, places[:, 1] + 1 + right]
        there = np.flatnonzero(other >= 0)
        starts, ends = [*starts, there], [*ends, other[there]]
        lengths.append(np.full(len(there), np.hypot(down, right)))
    rows, columns = np.concatenate(starts), np.concatenate(ends)
    shape = (len(places), len(places))
    graph = sparse.csr_matrix((np.concatenate(lengths), (rows, columns)), shape)
    _, piece = csgraph.connected_components(graph, directed=False)
    begin = np.flatnonzero(piece == np.bincount(piece).argmax())[0]
    one = _farthest(csgraph.dijkstra(graph, directed=False, indices=begin))
    distances, before = csgraph.dijkstra(graph, directed=False, indices=one, return_predecessors=True)
    path = [_farthest(distances)]
    while path[-1] != one:
        path.append(before[path[-1]])
    return places[path]


def _farthest(distances: np.ndarray) -> int:
    return int(np.where(np.isfinite(distances), distances, -1).argmax())
