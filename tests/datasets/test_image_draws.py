import itertools

import numpy as np
import pytest

from wsseg.datasets.image_draws import drawn_share, generator, uniform_draws

IDS = [f"image {i}" for i in range(300)]


def test_a_larger_share_holds_the_smaller_one():
    shares = [drawn_share(3, "masks", IDS, share) for share in (0, 0.01, 0.1, 0.5, 0.51, 1)]
    assert [len(ids) for ids in shares] == [0, 3, 30, 150, 153, 300]
    for smaller, larger in itertools.pairwise(shares):
        assert set(smaller) < set(larger)
        assert larger == [name for name in IDS if name in set(larger)]  # in the order given


def test_at_least_one_of_few():
    assert len(drawn_share(0, "masks", ["a", "b", "c"], 0.01)) == 1
    assert drawn_share(0, "masks", [], 0.5) == []


def test_draws_belong_to_seed_purpose_and_image():
    alone = uniform_draws(0, "masks", ["image 7"], 4)
    assert np.array_equal(uniform_draws(0, "masks", IDS, 4)[7], alone[0])
    assert np.array_equal(uniform_draws(0, "masks", IDS[::-1], 4)[::-1], uniform_draws(0, "masks", IDS, 4))
    others = [uniform_draws(1, "masks", ["image 7"], 4), uniform_draws(0, "noise", ["image 7"], 4)]
    assert all(not np.any(other == alone) for other in others)
    assert generator(0, "masks", "image 7").random() == alone[0, 0]


def test_draws_are_uniform():
    values = uniform_draws(0, "noise", [str(i) for i in range(2000)], 5)
    assert values.shape == (2000, 5) and values.min() >= 0 and values.max() < 1
    counts = np.histogram(values, 10, (0, 1))[0]
    assert np.sum((counts - 1000) ** 2 / 1000) == pytest.approx(
        9, abs=19
    )  # chi-square, 9 degrees: 27.9 at 0.1 %
