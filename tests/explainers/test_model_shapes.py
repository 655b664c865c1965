"""Every explainer on models of every shape, beside a gradient tape over the model's halves, and the table of them."""

import pytest
from examples.model_shape_rows import METHODS, read_table, row
from examples.model_shapes import SHAPES

FAST = (
    "nested three deep",
    "nested model with a dict of inputs",
    "siamese, second call of the layer",
    "triplet",
    "one layer called three times, its first call",
    "two images, RGB and depth",
    "nested outputs",
    "uint8 input",
    "13 channels",
    "layer inside a custom layer",
    "subclassed model inside a functional one",
    "attention over cells, by keyword",
)


def test_table_has_every_shape_and_method():
    methods, rows = read_table()
    assert methods == list(METHODS) and list(rows) == list(SHAPES) and len(SHAPES) >= 40


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SHAPES]
)
def test_row_of_the_table(name):
    # Each cell is compared with a value made by hand, or with the refusal that is right; see `model_shape_rows`.
    assert row(name) == read_table()[1][name]
