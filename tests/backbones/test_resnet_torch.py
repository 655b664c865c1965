"""ResNet and VGG as torchvision has them: structure, counts, and torchvision's own features."""

import keras
import numpy as np
import pytest
import skimage
from references import torchvision_networks as reference

from wsseg import backbones
from wsseg.backbones.resnet_torch import resnet_torch
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.imported_weights.importing import assign, import_weights
from wsseg.imported_weights.torchvision_tensors import SOURCES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TORCHVISION = {"resnet50_torch": "resnet50", "vgg16_torch": "vgg16"}


@pytest.fixture(scope="module", params=TORCHVISION)
def backbone(request):
    """Return the backbone with the reference's random weights (without the top, which it has not)."""
    model = backbones.create(request.param)
    own = {layer.name for layer in model.layers}
    tensors = [tensor for tensor in SOURCES[request.param].tensors(1000) if tensor.layer in own]
    assign(model, tensors, reference.random_state({tensor.name: tensor.shape for tensor in tensors}))
    return model


def test_same_features_as_torchvision_from_the_same_weights(backbone):
    images = reference.photograph()[None].astype("float32")
    features = backbone(images)["level_5"][0].numpy()[..., :: reference.STEP]
    expected = reference.sample(f"{TORCHVISION[backbone.name]}/features")
    assert expected.std((0, 1)).mean() > 0.05 * np.abs(expected).max()  # they depend on the image
    np.testing.assert_allclose(features, expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


def test_levels_have_their_strides(backbone):
    features = backbone(np.zeros((1, 64, 96, 3), "float32"))
    channels = {"resnet50_torch": (64, 256, 512, 1024, 2048), "vgg16_torch": (128, 256, 512, 512, 512)}
    for level, count in enumerate(channels[backbone.name], start=1):
        assert features[f"level_{level}"].shape == (1, 64 // 2**level, 96 // 2**level, count)


def test_dense_features_hold_the_originals(backbone):
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    dense = backbones.create(backbone.name, output_stride=8)
    dense.set_weights(backbone.get_weights())
    expected = backbone(images)["level_5"].numpy()
    found = dense(images)["level_5"].numpy()
    assert found.shape == (1, 8, 8, expected.shape[-1])
    np.testing.assert_allclose(found[:, ::4, ::4], expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize(("depth", "parameters"), [(50, 25_557_032), (101, 44_549_160)])
def test_published_parameter_count(depth, parameters):
    # torchvision's `num_params`. Inside the scope, variables have a shape and no memory.
    with shapes_only():
        model = resnet_torch(depth)
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == parameters


def test_structure_differs_from_keras_as_torchvisions_does():
    with shapes_only():
        model = resnet_torch(50, classes=7, input_shape=(64, 64, 3))
    assert model.output_shape == (None, 7)
    for stage in (2, 3, 4):  # the 3x3 convolution halves the size
        strides = [model.get_layer(f"layer{stage}_0_conv{n}").strides[0] for n in (1, 2, 3)]
        assert strides == [1, 2, 1]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(layer.epsilon, layer.momentum) for layer in norms} == {(1e-5, 0.9)}
    assert not any(layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


@pytest.mark.parametrize("name", [*TORCHVISION, pytest.param("resnet101_torch", marks=pytest.mark.slow)])
def test_there_are_no_weights_to_download(name):
    # Keras' own would be of another network, or of another preprocessing.
    with pytest.raises(InputError, match=rf"wsseg import-weights FILE --network {name} --out"):
        backbones.create(name, weights="imagenet")


@reference.needs_torchvision
@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_parity_with_torchvision_on_a_photograph(name, tmp_path):
    """From torchvision's `.pth` to features; the relative difference is printed (`pytest -s`)."""
    image = np.rint(255 * skimage.transform.resize(skimage.data.chelsea(), (161, 225), anti_aliasing=True))
    (expected,) = reference.run(TORCHVISION[name], tmp_path, [image.astype("uint8")])
    import_weights(tmp_path / "state.pth", name, tmp_path / "imported.weights.h5")
    model = backbones.create(name, weights=tmp_path / "imported.weights.h5")
    features = model(image[None].astype("float32"))["level_5"][0].numpy()
    difference = np.abs(features - expected["features"]).max() / np.abs(expected["features"]).max()
    print(f"{name}: relative difference {difference:.1e}")
    assert difference < 1e-4
