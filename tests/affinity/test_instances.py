"""Instances from displacement fields whose centres are known."""

import numpy as np
import pytest

from wsseg.affinity.instances import cluster, end_points, parted
from wsseg.errors import InputError


def field_of(centres, regions, noise=0.0):
    """Return the displacements of regions `(n, h, w)` bool to their centres, 0 elsewhere."""
    y, x = np.mgrid[: regions.shape[1], : regions.shape[2]]
    field = (
        np.random.default_rng(0).normal(0, noise, (*regions.shape[1:], 2))
        if noise
        else np.zeros((*y.shape, 2))
    )
    for (row, column), region in zip(centres, regions):
        field[region] += np.stack([row - y, column - x], axis=-1)[region]
    return field


def two_touching():
    regions = np.zeros((2, 20, 24), bool)
    regions[0, 2:18, 1:12] = regions[1, 2:18, 12:23] = True
    return [(10, 6), (9, 17)], regions


def test_ways_end_at_the_centres():
    centres, regions = two_touching()
    ends = end_points(field_of(centres, regions))
    for centre, region in zip(centres, regions):
        assert (ends[region] == centre).all()


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_touching_things_are_told_apart(noise):
    centres, regions = two_touching()
    groups = cluster(field_of(centres, regions, noise))
    of_each = [np.bincount(groups[region]).argmax() for region in regions]
    assert of_each[0] != of_each[1]
    for group, region in zip(of_each, regions):
        assert (groups[region] == group).mean() > 0.97
    assert sorted(np.unique(groups)) == list(range(groups.max() + 1))


def test_class_maps_are_cut_into_instances():
    """Two things of one class that touch: each gets its own half of the class's map; another class has one of them."""
    _, regions = two_touching()
    groups = np.where(regions[0], 1, np.where(regions[1], 2, 0))
    maps = np.array([regions.any(axis=0), 0.5 * regions[1]], np.float32)
    maps[0, 0, 0] = 0.9  # a crumb outside both: no instance
    whose, found = parted(maps, groups)
    assert whose.tolist() == [0, 0, 1] and found.dtype == np.float32
    np.testing.assert_array_equal(found[0], regions[0])
    np.testing.assert_array_equal(found[1], regions[1])
    np.testing.assert_array_equal(found[2], 0.5 * regions[1])
    whose, found = parted(np.zeros((0, 20, 24)), groups)
    assert whose.shape == (0,) and found.shape == (0, 20, 24)


def test_ways_stay_inside():
    field = np.full((5, 7, 2), 3.0)
    assert (end_points(field) == [4, 6]).all()


@pytest.mark.parametrize(
    ("wrong", "message"), [(np.zeros((4, 4)), r"\(h, w, 2\)"), (np.full((2, 2, 2), np.nan), "NaN")]
)
def test_wrong_input_is_named(wrong, message):
    with pytest.raises(InputError, match=message):
        cluster(wrong)
