import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.places.fills import fills_of
from wsseg.places.regions import Regions, grow, regions_of

HALVES = np.zeros((40, 60, 3), np.uint8)
HALVES[:, 30:] = (200, 120, 40)


@pytest.mark.parametrize("kind", ["superpixels", "windows", "both"])
def test_regions_cover_the_image(kind):
    image = np.random.default_rng(0).integers(0, 255, (41, 60, 3)).astype(np.uint8)
    found = regions_of(image, kind, segments=(12, 4), window_fractions=(0.2, 0.4))
    assert len(found.scales) == (4 if kind == "both" else 2)
    for masks in found.scales:
        assert masks.dtype == bool and masks.shape[1:] == (41, 60) and masks.any(axis=(1, 2)).all()
        assert masks.any(axis=0).all()
    assert found.count == sum(len(masks) for masks in found.scales)
    numbers = np.unique(found.atoms_hw)
    assert numbers.tolist() == list(range(len(numbers)))  # no gap
    finest = found.scales[-1 if kind == "windows" else 1]
    for region in finest:  # atoms lie wholly inside or outside of the smallest regions
        assert not set(found.atoms_hw[region]) & set(found.atoms_hw[~region])


def test_superpixels_keep_to_the_edge_and_windows_are_squares_of_two_cells():
    atoms = regions_of(HALVES, segments=(12,)).atoms_hw
    assert not set(atoms[:, :30].ravel()) & set(atoms[:, 30:].ravel())
    found = regions_of(HALVES, "windows", window_fractions=(0.5,))
    (masks,) = found.scales
    assert found.atoms_hw.max() == 15 and len(masks) == 9  # 4 x 4 cells, 3 x 3 windows
    assert {int(mask.sum()) for mask in masks} == {20 * 30}
    assert masks.sum(axis=0).max() == 4


def test_values_are_spread_as_by_loops():
    rng = np.random.default_rng(1)
    found = regions_of(rng.integers(0, 255, (20, 24, 3)).astype(np.uint8), "both", (6,), (0.5, 0.25))
    values = rng.normal(size=found.count)
    spread = found.spread(values)
    for y in range(0, 20, 3):
        for x in range(0, 24, 5):
            means, start = [], 0
            for masks in found.scales:
                means.append(np.mean([values[start + i] for i, mask in enumerate(masks) if mask[y, x]]))
                start += len(masks)
            assert spread[y, x] == pytest.approx(np.mean(means))
    expected = [spread[found.atoms_hw == a].mean() for a in range(found.atoms_hw.max() + 1)]
    np.testing.assert_allclose(found.over_atoms(spread), expected)


def test_neighbours_equal_a_loop():
    atoms = np.array([[0, 0, 1], [2, 0, 1], [2, 3, 3]], np.int32)
    found = [near.tolist() for near in Regions(atoms, ()).neighbours()]
    assert found == [[1, 2, 3], [0, 3], [0, 3], [0, 1, 2]]
    atoms = np.random.default_rng(0).permutation(np.arange(30) % 9).reshape(5, 6).astype(np.int32)
    expected = [set() for _ in range(9)]
    for y in range(5):
        for x in range(6):
            for other in [(y + 1, x), (y, x + 1)]:
                if other[0] < 5 and other[1] < 6 and atoms[other] != atoms[y, x]:
                    expected[atoms[y, x]].add(int(atoms[other]))
                    expected[atoms[other]].add(int(atoms[y, x]))
    assert [set(near.tolist()) for near in Regions(atoms, ()).neighbours()] == expected
    assert [near.tolist() for near in Regions(np.zeros((2, 2), np.int32), ()).neighbours()] == [[]]


def test_growth_takes_the_strongest_that_touches():
    #  0 - 1 - 2 - 3     strengths 5 9 4 7; 4 is as strong as any but touches nothing taken
    #      |
    #      5             strength 6
    neighbours = [np.array(near, int) for near in ([1], [0, 2, 5], [1, 3], [2], [], [1])]
    strengths = np.array([5.0, 9.0, 4.0, 7.0, 8.0, 6.0])
    assert grow(strengths, neighbours, level=1.0) == [1, 5, 0, 2, 3]
    assert grow(strengths, neighbours, level=4.0) == [1, 5, 0]  # strictly above: 2 bars the way to 3
    assert grow(strengths, neighbours, level=9.0) == []
    assert grow(np.full(6, -np.inf), neighbours, level=0.0) == []


def test_mean_and_blur():
    image = HALVES.copy()
    mean = fills_of(image, np.ones((3, 40, 60), bool), "mean")
    assert mean.shape == (1, 40, 60, 3) and mean.dtype == np.float32
    np.testing.assert_allclose(mean[0, 7, 9], [100, 60, 20])
    blurred = fills_of(image, np.ones((3, 40, 60), bool), "blur")
    assert blurred.shape == (1, 40, 60, 3)
    # Far from the edge as before, half way at it, and in between a Gaussian's integral of sigma 6 pixels.
    assert blurred[0, 20, 2, 0] < 1 and blurred[0, 20, 57, 0] > 199
    assert blurred[0, 20, 29:31, 0].mean() == pytest.approx(100, abs=0.5)
    assert blurred[0, 20, 35, 0] == pytest.approx(200 * 0.8204, abs=1.5)  # Phi(5.5 / 6)
    np.testing.assert_allclose(
        fills_of(np.full((9, 9, 3), 77, np.uint8), mean[:0, :9, :9, 0] > 0, "blur"), 77, rtol=1e-5
    )


def test_inpainting_continues_the_surroundings_and_nothing_of_the_region():
    ramp = np.tile(np.linspace(20, 220, 112)[None, :, None], (112, 1, 3)).round().astype(np.uint8)
    marked, mask = ramp.copy(), np.zeros((2, 112, 112), bool)
    mask[0, 40:60, 50:70] = True
    mask[1, :60] = True  # too wide to inpaint: blurred
    marked[mask[0]] = (0, 255, 0)
    found = fills_of(marked, mask, "inpaint")
    assert found.shape == (2, 112, 112, 3)
    np.testing.assert_allclose(found[0][mask[0]], ramp[mask[0]], atol=4)
    np.testing.assert_array_equal(found[1], fills_of(marked, mask, "blur")[0])
    # Another colour in the hole changes nothing.
    other = marked.copy()
    other[mask[0]] = (255, 0, 90)
    np.testing.assert_array_equal(fills_of(other, mask[:1], "inpaint")[0][mask[0]], found[0][mask[0]])


def test_wrong_kinds():
    with pytest.raises(InputError, match=r"`fill` 'blurr'; did you mean `blur`"):
        fills_of(HALVES, np.ones((1, 40, 60), bool), "blurr")
    with pytest.raises(InputError, match=r"`regions` 'window'; did you mean `windows`"):
        regions_of(HALVES, "window")
