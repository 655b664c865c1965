from itertools import pairwise

import numpy as np
import pytest
from references import permutohedral_lattice as twin
from skimage import data
from skimage.transform import resize

from wsseg.refiners import DenseCRF
from wsseg.refiners.dense_crf import PRESETS
from wsseg.refiners.dense_crf.lattice import STRIP, key_units, lattice

HEIGHT, WIDTH = 10, 70  # wider than a strip


@pytest.fixture(scope="module")
def image():
    return (resize(data.coffee()[:300], (HEIGHT, WIDTH), anti_aliasing=True) * 255).astype(np.uint8)


def probabilities(classes, seed=0, height=HEIGHT, width=WIDTH):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(classes, 0.7), (height, width)).astype(np.float32)


def strips():
    """Places (y, x) of the pixels in the order in which the lattice visits them."""
    return [
        (y, x)
        for left in range(0, WIDTH, STRIP)
        for y in range(HEIGHT)
        for x in range(left, min(left + STRIP, WIDTH))
    ]


def features(image, sxy, srgb):
    return [np.array([x / sxy, y / sxy, *(image[y, x] / srgb)]) for y, x in strips()]


def test_pixels_get_the_points_and_weights_of_the_twin(image):
    ours = lattice((HEIGHT, WIDTH), 20, image, 8)
    name_of, seen = {}, {}
    offsets, weights = ours.offsets.reshape(-1, 6), ours.weights.reshape(-1, 6)
    for feature, points, shares in zip(features(image, 20, 8), offsets, weights):
        expected_points, expected = twin.corners(feature)
        np.testing.assert_allclose(shares, expected, atol=1e-4)
        for point, name in zip(points, expected_points):
            assert name_of.setdefault(point, name) == name, "a point has one name"
            assert seen.setdefault(name, point) == point, "a name has one point"
    assert len(name_of) == ours.mass.size
    np.testing.assert_allclose(ours.mass.sum(), HEIGHT * WIDTH, rtol=1e-5)


def test_chains_are_the_lines_of_neighbours(image):
    ours = lattice((HEIGHT, WIDTH), 20, image, 8)
    names = {}
    for feature, points in zip(features(image, 20, 8), ours.offsets.reshape(-1, 6)):
        names |= dict(zip(twin.corners(feature)[0], points.tolist()))
    for axis in range(6):
        step = np.ones(6, int)
        step[axis] = -5
        expected = {
            (point, names[tuple(name + step)]) for name, point in names.items() if tuple(name + step) in names
        }
        chain = ours.chains[ours.ends[axis] : ours.ends[axis + 1]]
        points = np.where(chain < 0, -1 - chain, chain).tolist()
        assert {pair for pair, entry in zip(pairwise(points), chain) if entry >= 0} == expected
        assert len(set(points)) == len(points)
        assert expected, "there is something to test"


@pytest.mark.parametrize("classes", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 4))])
@pytest.mark.parametrize("name", PRESETS)
def test_mean_field_equals_the_twin(image, name, classes):
    crf = DenseCRF.preset(name, iterations=3)
    probs = probabilities(classes)
    expected = twin.dense_crf(image, probs, **PRESETS[name], iterations=3)
    assert np.abs(expected - probs).mean() > 0.03, "the CRF has something to do"
    np.testing.assert_allclose(crf(image, probs), expected, atol=1e-4)


def test_a_matrix_equals_the_twin(image):
    cost = np.array([[0, 1, 2.5], [1, 0.3, 0.2], [2.5, 0.2, -0.4]])
    probs, parameters = probabilities(3), PRESETS["psa"] | {"bilateral_weight": 3, "iterations": 2}
    expected = twin.dense_crf(image, probs, **parameters, compatibility=cost)
    ours = DenseCRF(**parameters, compatibility=cost)(image, probs)
    np.testing.assert_allclose(ours, expected, atol=1e-4)
    assert np.abs(DenseCRF(**parameters)(image, probs) - expected).max() > 0.1, "Potts differs"


def test_kernels_can_be_left_out(image):
    probs = probabilities(3)
    for left_out in ("gaussian_weight", "bilateral_weight"):
        parameters = PRESETS["irn"] | {left_out: 0, "iterations": 2}
        expected = twin.dense_crf(image, probs, **parameters)
        np.testing.assert_allclose(DenseCRF(**parameters)(image, probs), expected, atol=1e-4)


def test_keys_do_not_collide_where_they_fit():
    highest = [500 / 50 * 3.5, 375 / 50 * 2, 255 / 5 * 1.4, 255 / 5 * 1.1, 255 / 5 * 0.9]
    units = [int(unit) for unit in key_units(highest)]
    assert units[-1] == 0
    # Each coordinate's range fits under the next one's unit, and the last under 64 bits.
    spans = [sum(highest[i:]) + (i * highest[i - 1] if i else 0) + 36 for i in range(5)]
    for unit, span, above in zip(units, spans, [*units[1:5], 2**64]):
        assert unit * span <= above


def test_colour_widths_too_narrow_for_packed_keys(image):
    """Almost every pixel is a lattice point of its own; the packed key would take more than 64 bits."""
    units = key_units([WIDTH / 0.01 * 3, HEIGHT / 0.01 * 2, *[255 / 0.004] * 3])
    assert units[1] % 2 == 1, "not a power of two"
    parameters = PRESETS["irn"] | {"bilateral_sxy": 0.01, "bilateral_srgb": 0.004, "iterations": 2}
    probs = probabilities(3)
    expected = twin.dense_crf(image, probs, **parameters)
    # Features near 60,000 leave float32 but two digits inside a simplex; without neighbours it hardly matters.
    np.testing.assert_allclose(DenseCRF(**parameters)(image, probs), expected, atol=0.02)


def test_a_table_that_grows_finds_all_points():
    """Noise: nearly six points a pixel, more than the table begins with."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    ours = lattice((40, 50), 10, image, 1)
    assert 10_000 < ours.mass.size <= 12_000
    np.testing.assert_array_equal(np.unique(ours.offsets), np.arange(ours.mass.size))
    sums = np.bincount(ours.offsets, ours.weights, ours.mass.size)
    np.testing.assert_allclose(ours.mass, sums, atol=1e-5)
