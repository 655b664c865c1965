"""Small classifiers on the backbone `tiny`, with features that random weights keep alive."""

import keras
import numpy as np
import pytest
from small_run import network

from wsseg import classifiers

collect_ignore = ["conftest.py"]

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")
SMALL = {"gap": {}, "nin": {"channels": 12}, "acol": {"branch_channels": 12}, "seam": {}}
"""Head -> options that keep it small."""


@pytest.fixture(scope="session", autouse=True)
def tiny_backbone():
    network.register()


@pytest.fixture(scope="session")
def images():
    """Two images, `(2, 64, 96, 3)`."""
    return IMAGES


@pytest.fixture(scope="session")
def padded():
    """The validity of the two: the first image is 40 x 64 in its padding, the second fills it."""
    valid = np.zeros((2, 64, 96), "float32")
    valid[0, :40, :64], valid[1] = 1, 1
    return valid


@pytest.fixture(scope="session")
def build():
    """Build a small classifier of three classes by the head's name."""

    def built(head, **options):
        keras.utils.set_random_seed(0)
        defaults = {"backbone": "tiny", "num_classes": 3} | SMALL[head]
        model = classifiers.create(head, **defaults | options)
        for layer in model.layers:  # to the images' own statistics: random features would vanish
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.0
        model(IMAGES, training=True)
        return model

    return built
