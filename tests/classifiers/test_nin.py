"""NIN's head against loops in NumPy, and its class channels as CAM's maps."""

import keras
import numpy as np
import pytest
from references import class_map_heads

from wsseg import classifiers, explainers
from wsseg.errors import InputError
from wsseg.explainers.cam import linear_weights


@pytest.fixture(scope="module")
def model(build):
    return build("nin")


def of(model, tensor, images):
    return keras.Model(model.input, tensor)(images).numpy()


def head_weights(model):
    """Return the kernels and biases of the block in turn; biases are set, so that they count."""
    layers = [model.get_layer(name) for name in ("mlpconv_1", "mlpconv_2", "class_maps")]
    for place, layer in enumerate(layers):
        layer.bias.assign(np.linspace(-0.3, 0.4, layer.filters) * (place + 1))
    return [weight for layer in layers for weight in layer.get_weights()]


def test_the_block_equals_the_loops(model, images):
    weights = head_weights(model)
    assert [w.shape for w in weights[::2]] == [(3, 3, 48, 12), (1, 1, 12, 12), (1, 1, 12, 3)]
    features = of(model, model.features, images)
    expected = np.stack([class_map_heads.chain(one, weights) for one in features])
    np.testing.assert_allclose(of(model, model.class_maps, images), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(images), expected.mean((1, 2)), rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 0.1


def test_there_is_no_dense_layer_and_the_published_widths():
    model = classifiers.create("nin", backbone="tiny", num_classes=20)
    assert not any(isinstance(layer, keras.layers.Dense) for layer in model.layers)
    head = sum(v.numpy().size for v in model.head_variables)
    assert head == (9 * 48 + 1) * 1024 + 1025 * 1024 + 1025 * 20
    assert model.get_layer("dropout").rate == 0.5


def test_cam_is_the_class_channel(model, images):
    cam = explainers.create("cam", model=model)
    assert cam.layer == "class_maps"
    head = cam.network.logits_of_features(None)
    np.testing.assert_allclose(linear_weights(head), np.eye(3), atol=1e-5)
    maps = of(model, model.class_maps, images)
    expected = np.stack([maps[0, ..., 2], maps[1, ..., 0]])
    np.testing.assert_allclose(cam.raw(images, [2, 0]), expected, rtol=1e-4, atol=1e-5)


def test_rectified_as_published(build, images):
    model = build("nin", activation="softmax", rectify=True)
    plain = build("nin", activation="softmax")
    maps, expected = (of(one, one.class_maps, images) for one in (model, plain))
    assert expected.min() < -1e-2
    np.testing.assert_allclose(maps, np.maximum(expected, 0), atol=1e-5)
    with pytest.raises(InputError, match="`rectify` needs `activation: softmax`; got None"):
        build("nin", rectify=True)
