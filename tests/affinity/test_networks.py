"""Affinity networks: shapes, parameters, what learns, saving."""

import keras
import numpy as np
import pytest

from wsseg import affinity
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.saved_models import load_model


@pytest.fixture(scope="module", params=["psa", "irn"])
def network(request):
    keras.utils.set_random_seed(0)
    return affinity.create(request.param, backbone="plain", output_stride=8, frozen=True, input_size=(64, 64))


def test_output_has_a_cell_for_each_stride(network):
    assert (
        network.output_shape == {"affinity_net": (None, 8, 8, 448), "irnet": (None, 16, 16, 3)}[network.name]
    )
    assert network.output.dtype == "float32"


def test_only_the_new_layers_learn_over_a_frozen_backbone(network):
    names = {variable.path.split("/")[0] for variable in network.trainable_variables}
    assert names and all(name.startswith(("affinity_", "edge", "way")) for name in names)


def test_saved_and_loaded(network, tmp_path):
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    if network.name == "irnet":
        network.get_layer("way").set_mean(np.array([0.5, -2.0]))
    network.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "network.keras")(images), network(images))


@shapes_only()
def test_parameters_of_irnet_on_resnet50_are_the_published_ones():
    # By hand, from the public code's layers, without those of the first convolution's level (32 and 64 channels of 64,
    # their norms, and their places in the two joining convolutions).
    edge = 32 * (256 + 512 + 1024 + 2048) + 4 * 2 * 32 + 4 * 32 + 1
    way = 128 * 256 + 2 * 128 + 256 * (512 + 1024 + 2048) + 3 * 2 * 256
    way += 768 * 256 + 2 * 256 + (128 + 256) * 256 + 2 * 256 + 2 * 256
    model = affinity.create("irn", backbone="resnet50", input_size=(64, 64))
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == edge + way


@shapes_only()
def test_parameters_of_affinity_net_on_resnet50_are_the_published_layers():
    model = affinity.create("psa", backbone="resnet50", output_stride=8, input_size=(64, 64), frozen=True)
    expected = 512 * 64 + 1024 * 128 + 2048 * 256 + 448 * 448
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == expected


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"unknown affinity network `ir`.*irn"):
        affinity.create("ir", backbone="plain")
