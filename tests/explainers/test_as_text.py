"""An explainer and its options as one word of a command."""

import numpy as np
import pytest
import tensorflow as tf
from examples.explained_models import two_input_classifier

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers import as_text


@pytest.fixture(scope="module")
def model():
    return two_input_classifier()


@pytest.mark.parametrize(
    "text", ["rise:", "rise:samples", "rise:samples=", "rise:=3", "rise:[1", "rise:1000"]
)
def test_what_is_not_written_so_is_refused(text):
    with pytest.raises(InputError, match="NAME:OPTION=VALUE"):
        as_text.read(text)


def test_options_reach_the_explainer(model):
    made = as_text.create("rise:samples=30,cells=[3, 4],fill=mean,centred=true", model, output=None)
    assert (made.samples, made.cells, made.fill, made.centred) == (30, (3, 4), "mean", True)


def test_black_is_what_the_preprocessing_makes_of_it(model):
    def halves(images):
        return images / 128 - [1, 1, 0.5]

    image = np.full((1, 4, 4, 3), 7, np.float32)
    for text, expected in (
        ("integrated_gradients", [-1, -1, -0.5]),
        ("integrated_gradients:baseline=[1, 2, 3]", [1, 2, 3]),
        ("integrated_gradients:baseline=mean", [7, 7, 7]),
    ):
        start = as_text.create(text, model, halves).start(tf.constant(image))
        np.testing.assert_allclose(start[0, 0, 0], expected)
    assert as_text.create("rise", model, halves).fill == 0


def test_an_unknown_option_names_the_nearest(model):
    with pytest.raises(InputError, match=r"`rise` has no option `sampels`; .*`samples`"):
        as_text.create("rise:sampels=30", model)


@pytest.mark.parametrize("name", explainers.EXPLAINERS)
def test_no_explainer_takes_any_option(model, name):
    with pytest.raises(InputError, match=f"`{name}` has no option `nonsense`"):
        explainers.create(name, model, nonsense=1)
