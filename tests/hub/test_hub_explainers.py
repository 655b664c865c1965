"""Explainers of keras-hub's classifiers: blocks inside one layer, one or two tokens without a place."""

import keras
import numpy as np
import pytest
from hub.tiny import TEXTS, images, shake
from keras import layers

from wsseg import explainers
from wsseg.grid import Grid
from wsseg.layers.hub_architecture import Architecture

keras_hub = pytest.importorskip("keras_hub")
pytestmark = pytest.mark.filterwarnings("ignore:.*maps at .* are empty")

METHODS = ("grad_cam", "layer_cam", "attention_rollout", "attention_relevance")
SHAPE = {"image_shape": (32, 48, 3), "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16}


def vit():
    backbone = keras_hub.models.ViTBackbone(mlp_dim=32, **SHAPE)
    return keras_hub.models.ViTImageClassifier(backbone=backbone, num_classes=3, preprocessor=None)


def deit():
    backbone = keras_hub.models.DeiTBackbone(intermediate_dim=32, **SHAPE)
    return keras_hub.models.DeiTImageClassifier(backbone=backbone, num_classes=3, preprocessor=None)


@pytest.mark.parametrize(("make", "first"), [(vit, 1), (deit, 2)])
def test_classifiers(make, first):
    model = make()
    for method in METHODS:
        explainer = explainers.create(method, model=model)
        found = explainer(images((32, 48)) / 255, [0, 1])
        assert found.shape == (2, 32, 48) and np.isfinite(found).all()
        assert explainer.grid == Grid((8.0, 8.0), (3.5, 3.5))
        order = np.arange(24).reshape(4, 6) + first
        np.testing.assert_array_equal(explainer.network.layout.order, order)


@pytest.mark.parametrize("family", TEXTS)
def test_backbones(family):
    encoder = Architecture.parse(TEXTS[family]).build()
    shake(encoder)
    side, patch = (42, 14) if "dinov2" in TEXTS[family] else (48, 16)
    image = keras.Input((side, side, 3))
    features = encoder(image)
    features = features["sequence_output"] if isinstance(features, dict) else features
    if len(features.shape) == 3:  # SigLIP pools by attention
        features = layers.GlobalAveragePooling1D()(features)
    model = keras.Model(image, layers.Dense(3)(features))
    for method in ("layer_cam", "attention_relevance"):
        explainer = explainers.create(method, model=model)
        assert explainer(images((side, side)) / 255, [0, 1]).shape == (2, side, side)
        assert explainer.grid == Grid.of_blocks(patch)
