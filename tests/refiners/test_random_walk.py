"""Affinities of neighbouring cells and the walk over them, against dense matrices."""

import tracemalloc

import numpy as np
import pytest
from references.random_walks import dense_edge_affinity, dense_feature_affinity, dense_walk

from wsseg.errors import InputError
from wsseg.refiners.affinity import directions, edge_affinity, feature_affinity
from wsseg.refiners.random_walk import RandomWalk


def dense(affinities, radius):
    """Write affinities by direction as a symmetric matrix."""
    _, height, width = affinities.shape
    found = np.eye(height * width)
    for (down, right), values in zip(directions(radius), affinities):
        for row, column in np.ndindex(height, width):
            if row + down < height and 0 <= column + right < width:
                a, b = row * width + column, (row + down) * width + column + right
                found[a, b] = found[b, a] = values[row, column]
            else:
                assert values[row, column] == 0
    return found


SIZES = [(7, 9), (1, 8), (9, 2), (1, 1)]


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("radius", [2, 5])
def test_boundaries_part_cells_as_in_the_dense_form(size_hw, radius):
    edge = np.random.default_rng(0).random(size_hw) ** 3
    expected = dense_edge_affinity(edge, radius)
    np.testing.assert_allclose(dense(edge_affinity(edge, radius), radius), expected, atol=1e-6)


@pytest.mark.parametrize("size_hw", SIZES)
def test_features_tie_cells_as_in_the_dense_form(size_hw):
    features = np.random.default_rng(0).normal(size=(*size_hw, 6))
    expected = dense_feature_affinity(features, 4)
    np.testing.assert_allclose(dense(feature_affinity(features, 4), 4), expected, atol=1e-6)


def test_a_cell_has_as_many_neighbours_as_in_the_public_code():
    assert 2 * len(directions(5)) + 1 == 69


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("beta", [1, 10])
def test_the_walk_equals_the_squared_dense_matrix(size_hw, beta):
    random = np.random.default_rng(1)
    edge, maps = random.random(size_hw) ** 3, random.random((*size_hw, 3))
    found = RandomWalk(beta=beta, radius=4)(maps, edge)
    assert found.dtype == np.float32 and found.shape == maps.shape
    expected = dense_walk(np.moveaxis(maps, -1, 0), dense_edge_affinity(edge, 4), beta, doublings=8)
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), expected, atol=1e-4)


def test_nothing_passes_a_closed_boundary_and_what_is_inside_is_spread_evenly():
    edge = np.zeros((12, 12))
    edge[:, 5] = 1
    seed = np.zeros((12, 12, 1))
    seed[2, 1] = 1
    found = RandomWalk(steps=4000)(seed, edge)[..., 0]
    assert found[:, 5:].max() == 0
    assert found[:, :5].min() > 0 and found[:, :5].std() < 1e-6 * found[:, :5].mean()


def test_a_constant_map_stays_and_no_step_changes_nothing():
    features = np.random.default_rng(0).normal(size=(6, 7, 2))
    np.testing.assert_allclose(
        RandomWalk(beta=8).over_features(np.full((6, 7, 2), 0.3), features), 0.3, rtol=1e-6
    )
    maps = np.random.default_rng(0).random((6, 7, 2)).astype("float32")
    np.testing.assert_array_equal(RandomWalk(steps=0).over_features(maps, features), maps)


def test_views_and_integers_walk_as_their_copies_do():
    random = np.random.default_rng(0)
    maps, edges = random.random((2, 6, 7)), random.integers(0, 2, (7, 6))
    expected = RandomWalk()(np.ascontiguousarray(np.moveaxis(maps, 0, -1)), edges.T.astype(float))
    np.testing.assert_array_equal(RandomWalk()(np.moveaxis(maps, 0, -1), edges.T), expected)


def test_memory_grows_with_the_cells_not_with_their_square():
    edge, maps = np.random.default_rng(0).random((94, 125)), np.ones((94, 125, 3), np.float32)
    RandomWalk()(maps[:9, :9], edge[:9, :9])  # what is loaded once
    tracemalloc.start()
    RandomWalk(steps=2)(maps, edge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # the dense matrix alone has 552 MB


MAPS = np.zeros((4, 5, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: directions(1), "`radius` must be"),
        (lambda: edge_affinity(np.zeros((2, 3, 1))), "`edge` must be"),
        (lambda: edge_affinity(np.full((2, 3), 1.5)), "take the sigmoid"),
        (lambda: edge_affinity(np.full((2, 3), np.nan)), "take the sigmoid"),
        (lambda: feature_affinity(np.zeros((2, 3))), "`features` must be"),
        (lambda: feature_affinity(np.full((2, 3, 1), np.inf)), "finite"),
        (lambda: RandomWalk().over(MAPS, np.zeros((3, 4, 5))), "34"),
        (lambda: RandomWalk().over(MAPS, np.full((34, 4, 5), 2.0)), r"in \[0, 1\]"),
        (lambda: RandomWalk(beta=0), "`beta`"),
        (lambda: RandomWalk(steps=-1), "`steps`"),
        (lambda: RandomWalk(radius=1), "`radius`"),
        (lambda: RandomWalk()(np.moveaxis(MAPS, -1, 0), MAPS[..., 0]), r"`class_maps` must be \(4, 5, K\)"),
        (lambda: RandomWalk()(MAPS + np.nan, MAPS[..., 0]), "finite"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
