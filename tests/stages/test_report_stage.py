from pathlib import Path

import pytest

from wsseg.artifacts import Manifest
from wsseg.datasets import Dataset, Record
from wsseg.stages.report.stage import stage_facts, worst_first


@pytest.fixture
def dataset():
    return Dataset("test", "val", ("cat",), [Record(str(i), Path(f"{i}.png"), ("cat",)) for i in range(10)])


def test_half_the_worst_and_the_rest_over_the_ranks(dataset):
    scores = {str(i): (9 - i) / 10 for i in range(10)}  # 9 is the worst
    assert [record.id for record in worst_first(dataset, scores, 6)] == ["9", "8", "7", "6", "3", "0"]
    assert len(worst_first(dataset, scores, 1)) == 1 and worst_first(dataset, scores, 0) == []
    assert len(worst_first(dataset, scores, 99)) == 10


def test_without_scores_the_first_ones(dataset):
    assert [record.id for record in worst_first(dataset, {}, 3)] == ["0", "1", "2"]
    assert [record.id for record in worst_first(dataset, {"4": 0.5, "5": None}, 3)] == ["4"]


def test_what_a_stage_made_in_a_few_words():
    counts = {"images": 3, "val_map": 0.51234, "classes": ["a"], "nothing": None}
    done = Manifest("classify", {}, counts, {}, {}, 1.0, False, 1.0)
    assert stage_facts(done) == "images 3, val map 0.512"
    resumed = Manifest("classify", {}, {"images": 3}, {}, {}, 1.0, True, 1.0)
    assert stage_facts(resumed) == "images 3, time since it was resumed"
