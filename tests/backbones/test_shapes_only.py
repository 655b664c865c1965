"""Networks without values: nothing waits to be given some later, and a backbone's own are drawn all the same."""

import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state

from wsseg import backbones
from wsseg.backbones.shapes_only import WAITING, shapes_only


def test_what_waited_before_still_does_and_nothing_more_even_after_an_error():
    with keras.StatelessScope(initialize_variables=False):
        dense = keras.layers.Dense(2)
        dense.build((None, 3))
    with pytest.raises(ZeroDivisionError), shapes_only():
        keras.layers.Dense(4).build((None, 5))
        1 / 0  # noqa: B018
    assert global_state.get_global_attribute(WAITING) == [dense.kernel, dense.bias]
    with keras.StatelessScope():
        pass
    assert np.array(dense.kernel).std() > 0


@pytest.mark.parametrize("name", ["mobilenet_0.25", "efficientnet_b0"])
def test_a_backbone_of_random_weights_has_its_initial_values(name):
    backbone = backbones.create(name)
    for layer in backbone.layers:
        for weight in layer.weights:
            values = np.array(weight)
            if "kernel" in weight.name:
                # Drawn, and around 0; which distribution each layer has is Keras' affair.
                assert 0 < values.std() < 1 and abs(values.mean()) < 0.1, weight.path
            else:
                expected = weight.name in ("gamma", "moving_variance", "variance")
                assert (values == expected).all(), weight.path
    assert not global_state.get_global_attribute(WAITING)


def test_two_seeds_give_two_networks_and_one_seed_one():
    first, again, other = (
        (keras.utils.set_random_seed(seed), backbones.create("mobilenet_0.25").get_weights())[1]
        for seed in (0, 0, 1)
    )
    same = [np.array_equal(a, b) for a, b in zip(first, again, strict=True)]
    assert all(same)
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
