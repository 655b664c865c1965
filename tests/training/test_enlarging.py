"""Images are enlarged until the objects of the smallest class have a side that a network sees."""

from pathlib import Path

import numpy as np
import pytest

from wsseg.artifacts import read_json
from wsseg.datasets import Dataset, Record
from wsseg.file_names import ENLARGED
from wsseg.recipe import SegmentConfig
from wsseg.training.enlarging import (
    LARGEST,
    WANTED,
    factor_for,
    factor_in,
    object_sides,
    with_enlarging,
)


def square(side, k, size=100):
    mask = np.zeros((size, size), np.uint8)
    mask[10 : 10 + side, 10 : 10 + side] = k
    return mask


def train(masks):
    records = [Record(str(i), Path(f"{i}.png"), ("cat",)) for i in range(len(masks))]
    return Dataset("pets", "train", ("cat", "dog"), records), lambda record: masks[int(record.id)]


def test_the_largest_region_of_each_class_and_the_median_over_masks():
    several = square(9, 2)
    several[50, 50], several[80:84, 80:84] = (
        2,
        1,
    )  # a crumb of class 2 beside its square, and a square of class 1
    masks = [several, square(5, 2), square(12, 2), np.full((100, 100), 255, np.uint8)]
    assert object_sides(masks, 3, lambda mask: 2.0) == {1: 8.0, 2: 18.0}


@pytest.mark.parametrize(
    "sides, factor", [({1: WANTED / 1.5, 2: 90.0}, 1.5), ({1: 200.0}, 1), ({1: 1.0}, LARGEST)]
)
def test_factor_by_hand(sides, factor):
    assert factor_for(sides) == factor


def test_auto_is_found_from_the_masks_as_they_are_scaled_and_kept(tmp_path):
    data, read = train([square(10, 1), square(10, 1)])
    config = SegmentConfig(
        enlarge="auto", long_side=(100, 220), scales=(1.0, 2.0)
    )  # 1.6 on average: a side of 16
    assert factor_for({1: 16.0}) == 1.5
    found = with_enlarging(config, data, read, tmp_path)
    assert found.long_side == (150, 330) and found.scale is None and found.crop == config.crop
    assert read_json(tmp_path / ENLARGED) == {"factor": 1.5, "object_sides": {"cat": 16.0}}
    assert factor_in(tmp_path, config) == 1.5 and found.scales == config.scales
    again = with_enlarging(config, data, lambda record: square(90, 1), tmp_path)
    assert again.long_side == (150, 330)


def test_a_range_of_scale_is_enlarged_and_a_stated_factor_needs_no_mask(tmp_path):
    data, _ = train([square(10, 1)])

    def read(record):
        raise AssertionError("no mask is needed")

    found = with_enlarging(SegmentConfig(enlarge=2.0, scale=(0.5, 1.5)), data, read, tmp_path)
    assert found.scale == (1.0, 3.0)
    assert with_enlarging(SegmentConfig(), data, read, tmp_path) == SegmentConfig()
    assert not (tmp_path / ENLARGED).exists()
