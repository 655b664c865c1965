import numpy as np
import pytest
from examples.bright_block import block_classifier, block_image, block_mask
from references.faithfulness import insertion_deletion_areas

from wsseg.errors import InputError
from wsseg.faithfulness import InsertionDeletion, Scorer
from wsseg.faithfulness.fills import filled
from wsseg.faithfulness.pixel_order import pixel_order


@pytest.fixture(scope="module")
def scorer():
    return Scorer(block_classifier(), batch_size=8)


def one_score(scorer):
    return lambda image: float(scorer.model(image[None])[0, 1])


@pytest.mark.parametrize(
    ("fill", "start", "steps"), [("mean", "blur", 12), ("black", "grey", 7), ((9, 8, 7), "mean", 36)]
)
def test_equal_to_the_loops(scorer, fill, start, steps):
    measure = InsertionDeletion(scorer, steps, fill, start, sigma=2.0)
    expected = []
    for seed in range(2):
        image, values = block_image(seed), np.random.default_rng(seed).random((12, 12))
        measure.update(image, values, 1)
        ends = filled(image, start, 2.0), filled(image, fill, 2.0)
        expected.append(insertion_deletion_areas(one_score(scorer), image, values, *ends, steps))
    result = measure.result()
    np.testing.assert_allclose(
        [result["insertion"], result["deletion"]], np.mean(expected, axis=0), atol=1e-5
    )
    assert len(result["insertion_curve"]) == steps + 1 and result["maps"] == 2 and result["steps"] == steps


def test_a_perfect_map_is_better_than_its_inverse(scorer):
    image, perfect = block_image(), block_mask().astype(float)
    results = {}
    for name, values in (("perfect", perfect), ("inverse", 1 - perfect), ("none", np.zeros((12, 12)))):
        measure = InsertionDeletion(scorer, 24)
        curves = measure.update(image, values, 1)
        results[name] = measure.result()
        # Whatever the map, all pixels deleted is the fill, and all inserted is the image.
        score = one_score(scorer)
        assert curves.deletion[0] == pytest.approx(score(image), abs=1e-5)
        assert curves.insertion[-1] == pytest.approx(score(image), abs=1e-5)
        assert curves.deletion[-1] == pytest.approx(score(filled(image, "mean")), abs=1e-5)
        assert curves.insertion[0] == pytest.approx(score(filled(image, "blur")), abs=1e-5)
    assert results["perfect"]["insertion"] > results["none"]["insertion"] > results["inverse"]["insertion"]
    assert results["perfect"]["deletion"] < results["none"]["deletion"] < results["inverse"]["deletion"]


def test_all_comes_and_goes_with_the_block(scorer):
    """The 20 pixels of the block decide alone: after them the curves are flat, before them they move."""
    curves = InsertionDeletion(scorer, 144).update(block_image(), block_mask().astype(float), 1)
    assert np.ptp(curves.deletion[20:]) < 1e-5 < 1e-3 < np.diff(-curves.deletion[:21]).min()
    assert np.ptp(curves.insertion[20:]) < 1e-5


def test_equal_pixels_come_in_a_random_order_that_the_seed_fixes():
    order = pixel_order(np.zeros((10, 10)), seed=3)
    assert sorted(order) == list(range(100)) and order.tolist() != sorted(order)
    assert order.tolist() == pixel_order(np.zeros((10, 10)), seed=3).tolist()
    assert order.tolist() != pixel_order(np.zeros((10, 10)), seed=4).tolist()
    some = pixel_order(np.array([[0.0, 2.0, 0.0, 3.0]]))
    assert some[:2].tolist() == [3, 1]


def test_fills():
    image = block_image()
    assert not filled(image, "black").any() and (filled(image, "grey") == 127.5).all()
    np.testing.assert_allclose(filled(image, "mean")[5, 5], image.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_array_equal(filled(image, [1, 2, 3])[7, 2], [1, 2, 3])
    flat = np.full((6, 6, 3), 7.0)
    np.testing.assert_allclose(filled(flat, "blur"), flat, rtol=1e-5)
    # sigma 1: a kernel of 3 pixels, exp(-1/2) : 1 : exp(-1/2), normalised.
    spot = np.zeros((5, 5, 3))
    spot[2, 2] = 1
    side = np.exp(-0.5) / (1 + 2 * np.exp(-0.5))
    np.testing.assert_allclose(
        filled(spot, "blur", 1.0)[2, :, 0],
        np.array([0, side, 1 - 2 * side, side, 0]) * (1 - 2 * side),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "`steps` must be a whole number from 1; got 0"),
        ({"fill": "blak"}, "unknown fill `blak`; did you mean `black`"),
        ({"start": (1, 2)}, r"one number in \[0, 255\] for each channel \(3\)"),
        ({"start": (1, 2, 256)}, r"one number in \[0, 255\] for each channel \(3\)"),
        ({"sigma": 0}, "`sigma`"),
    ],
)
def test_wrong_options(scorer, options, message):
    with pytest.raises(InputError, match=message):
        InsertionDeletion(scorer, **options)


def test_wrong_maps_and_targets(scorer):
    measure = InsertionDeletion(scorer)
    with pytest.raises(InputError, match="resize the map"):
        measure.update(block_image(), np.zeros((6, 6)), 1)
    with pytest.raises(InputError, match="nan or infinity"):
        measure.update(block_image(), np.full((12, 12), np.nan), 1)
    with pytest.raises(InputError, match="from 0 to 2; got 3"):
        measure.update(block_image(), np.zeros((12, 12)), 3)
    assert measure.result()["insertion"] is None and measure.maps == 0
