import numpy as np
import pytest
from numba import njit

from wsseg.refiners.dense_crf import rows

LANES = [1, 3, 20]  # one piece, two, and two of which one is the widest


@njit
def run(name, a, b, factor, out, lanes):
    x, y = rows.load(a, 2, lanes), rows.load(b, 2, lanes)
    if name == 0:
        rows.store(out, 2, rows.add_scaled(x, factor, y))
    elif name == 1:
        rows.store(out, 2, rows.scaled(x, factor))
    elif name == 2:
        rows.store(out, 2, rows.raised(x, factor))
    elif name == 3:
        rows.store(out, 2, rows.filled(rows.total(x), lanes))
    elif name == 4:
        rows.store(out, 2, rows.filled(rows.highest(x), lanes))
    elif name == 5:
        rows.store(out, 2, rows.clipped(x, np.float32(-0.5), factor))
    elif name == 6:
        rows.store(out, 2, rows.exp2(x))
    elif name == 7:
        rows.store(out, 2, rows.log2(x))


def result(name, a, b, factor, lanes):
    out = np.full(lanes + 4, 7, np.float32)
    run(name, a, b, np.float32(factor), out, (0,) * lanes)
    assert (out[:2] == 7).all() and (out[-2:] == 7).all(), "nothing beside the row is written"
    return out[2:-2]


@pytest.mark.parametrize("lanes", LANES)
def test_arithmetic(lanes):
    a, b = np.random.default_rng(0).normal(size=(2, lanes + 4)).astype(np.float32)
    x, y = a[2:-2], b[2:-2]
    np.testing.assert_allclose(result(0, a, b, 0.3, lanes), x + np.float32(0.3) * y, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(result(1, a, b, 0.3, lanes), x * np.float32(0.3))
    np.testing.assert_array_equal(result(2, a, b, 0.3, lanes), x + np.float32(0.3))
    np.testing.assert_allclose(result(3, a, b, 0, lanes), np.full(lanes, x.sum()), atol=1e-5)
    np.testing.assert_array_equal(result(4, a, b, 0, lanes), np.full(lanes, x.max()))
    np.testing.assert_array_equal(result(5, a, b, 0.3, lanes), x.clip(-0.5, np.float32(0.3)))


def test_clipped_turns_nan_to_the_lowest():
    a = np.full(24, np.nan, np.float32)
    np.testing.assert_array_equal(result(5, a, a, 1, 20), np.full(20, -0.5))


def test_exp2_and_log2():
    worst = 0
    for block in np.linspace(-79.9, 0, 4000, dtype=np.float32).reshape(-1, 20):
        a = np.pad(block, 2)
        exact = np.exp2(block.astype(np.float64))
        worst = max(worst, np.abs(result(6, a, a, 0, 20) / exact - 1).max())
    assert worst < 4e-7
    for block in np.geomspace(1e-30, 1e30, 4000).astype(np.float32).reshape(-1, 20):
        a = np.pad(block, 2, constant_values=1)
        np.testing.assert_allclose(
            result(7, a, a, 0, 20), np.log2(block.astype(np.float64)), rtol=3e-7, atol=3e-7
        )
    ones = np.ones(24, np.float32)
    np.testing.assert_allclose(result(7, ones, ones, 0, 20), 0, atol=1e-7)


def test_exp2_has_no_denormal_numbers():
    a = np.array([0, 0, -80.1, -126, -150, -1e5, -1e30, 0, -1, -2, 0, 0], np.float32)
    np.testing.assert_allclose(result(6, a, a, 0, 8), [0, 0, 0, 0, 0, 1, 0.5, 0.25], rtol=4e-7)


@njit
def copy_point(values, points, source, target, lanes):
    rows.put(values, points, target, rows.take(values, points, source, lanes))


def test_points_lie_piece_by_piece():
    """20 numbers of a point: 16 among the first pieces of all points, then 4."""
    values = np.arange(3 * 20, dtype=np.float32)
    copy_point(values, 3, 1, 2, (0,) * 20)
    expected = np.arange(3 * 20, dtype=np.float32)
    expected[32:48] = np.arange(16, 32)
    expected[48 + 8 : 48 + 12] = np.arange(48 + 4, 48 + 8)
    np.testing.assert_array_equal(values, expected)
