import numpy as np
import pytest
from examples.bright_block import block_classifier, block_image, block_mask
from references.faithfulness import average_drop

from wsseg.errors import InputError
from wsseg.faithfulness import AverageDrop, Scorer


@pytest.fixture(scope="module")
def model():
    return block_classifier()


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_equal_to_one_image_at_a_time(model, batch_size):
    measure, pairs = AverageDrop(Scorer(model, batch_size=batch_size)), []
    for seed in range(7):
        image, values = block_image(seed), np.random.default_rng(seed).random((12, 12))
        target = seed % 3
        measure.update(image, values, target)
        shown = [image, image * values[..., None].astype(np.float32)]
        pairs.append(model.predict(np.stack(shown), verbose=0)[:, target].tolist())
    expected = average_drop(pairs)
    found = measure.result()
    assert (found["average_drop"], found["increase_in_confidence"]) == pytest.approx(expected, abs=1e-4)
    assert found["maps"] == 7 and expected[0] > 0 and 0 < expected[1] < 100


def test_what_the_map_keeps(model):
    results = []
    for values in (np.ones((12, 12)), block_mask(), ~block_mask()):
        measure = AverageDrop(Scorer(model))
        measure.update(block_image(), values.astype(float), 1)
        results.append(measure.result()["average_drop"])
    assert results[:2] == pytest.approx([0, 0], abs=1e-3) and results[2] > 50


def test_by_hand():
    """Of (0.8 -> 0.6, 0.5 -> 0.7) a quarter and nothing is lost: 12.5 %; one of two rises: 50 %."""

    class Known:
        batch_size = 8

        def __call__(self, images):
            return np.array([[0.8], [0.6], [0.5], [0.7]], np.float32)

    measure = AverageDrop(Known())
    for _ in range(2):
        measure.update(np.zeros((2, 2, 3)), np.zeros((2, 2)), 0)
    found = measure.result()
    assert found["average_drop"] == pytest.approx(12.5, abs=1e-4) and found["increase_in_confidence"] == 50


def test_wrong_input(model):
    measure = AverageDrop(Scorer(model))
    assert measure.result()["average_drop"] is None
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]; got 0..2"):
        measure.update(block_image(), 2.0 * block_mask(), 1)
    with pytest.raises(InputError, match="resize the map"):
        measure.update(block_image(), np.zeros((3, 3)), 1)
    measure.update(block_image(), np.zeros((12, 12)), 5)
    with pytest.raises(InputError, match="from 0 to 2; got 5"):
        measure.result()
