from pathlib import Path

import numpy as np
import pytest

from wsseg.datasets import Dataset, Record
from wsseg.datasets.image_draws import uniform_draws
from wsseg.datasets.label_noise import noisy_labels
from wsseg.errors import InputError

CLASSES = ("cat", "dog", "cow", "all", "none")


def dataset(count=4000):
    """A tenth with a cat, half with a dog, a quarter of these with a cow; one class everywhere, one nowhere."""
    records = []
    for i in range(count):
        has = (i % 10 == 0, i % 2 == 0, i % 8 == 0, True, False)
        labels = tuple(name for name, there in zip(CLASSES, has) if there)
        records.append(Record(f"{i}", Path(f"{i}.jpg"), labels))
    return Dataset("test", "train", CLASSES, records)


def vectors(given, labels):
    return np.array([[name in labels[record.id] for name in CLASSES] for record in given])


def test_rates_and_numbers_are_as_stated():
    given = dataset()
    before = vectors(given, {record.id: record.labels for record in given})
    after = vectors(given, noisy_labels(given, 0.3, seed=0))
    for k, present in enumerate((400, 2000, 500)):
        assert before[:, k].sum() == present
        dropped, added = (before & ~after)[:, k].sum(), (~before & after)[:, k].sum()
        spread = 4 * np.sqrt(present * 0.3)  # four deviations of either count, roughly
        assert dropped == pytest.approx(0.3 * present, abs=spread)
        assert added == pytest.approx(0.3 * present, abs=spread)
    assert after[:, 3].mean() == pytest.approx(0.7, abs=0.03)  # none to add it to: it loses a share
    assert not after[:, 4].any()  # a class without labels stays without


def test_each_number_is_compared_with_its_own_probability():
    """By a loop over the draws: r for present labels, r n / (N - n) for absent ones."""
    given = dataset(40)
    draws = uniform_draws(5, "label noise", [record.id for record in given], len(CLASSES))
    found = noisy_labels(given, 0.2, seed=5)
    for row, record in enumerate(given):
        expected = []
        for k, name in enumerate(CLASSES):
            n = sum(name in other.labels for other in given)
            limit = 0.2 if name in record.labels else min(1, 0.2 * n / max(len(given) - n, 1))
            if (name in record.labels) != (draws[row, k] < limit):
                expected.append(name)
        assert found[record.id] == tuple(expected)


def test_it_is_nested_and_drawn_by_the_seed():
    given = dataset(500)
    truth = vectors(given, {record.id: record.labels for record in given})
    little, much = (vectors(given, noisy_labels(given, rate, 0)) != truth for rate in (0.2, 0.4))
    assert np.all(much[little]) and much.sum() > little.sum() > 0
    assert noisy_labels(given, 0.2, 0) == noisy_labels(given, 0.2, 0) != noisy_labels(given, 0.2, 1)
    assert noisy_labels(given, 0, 0) == {record.id: record.labels for record in given}


@pytest.mark.parametrize("rate", [-0.1, 1, float("nan")])
def test_bad_rate(rate):
    with pytest.raises(InputError, match="`rate` of wrong labels must be in"):
        noisy_labels(dataset(10), rate, 0)
