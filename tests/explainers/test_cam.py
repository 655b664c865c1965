"""CAM against loops in NumPy, and which heads it takes."""

import keras
import numpy as np
import pytest
from examples.networks import small_classifier
from keras import layers
from references.class_maps import cam, convolution_relu, placed

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.cam import CAM, linear_weights
from wsseg.explainers.graph_part import Part


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


def twin(model, image, target):
    kernel, bias = model.get_layer("features").get_weights()
    weights = model.get_layer("logits").get_weights()[0]
    return cam(convolution_relu(image, kernel, bias, 2), weights[:, target])


def test_raw_equals_the_loops_and_keeps_negative_evidence(images):
    model = small_classifier()
    raw = CAM(model).raw(images, [2, 0])
    assert raw.shape == (2, 4, 5)
    for found, image, target in zip(raw, images, [2, 0]):
        np.testing.assert_allclose(found, twin(model, image, target), atol=1e-4)
    assert raw.min() < 0


def test_map_is_the_positive_part_where_its_cells_look_over_its_maximum(images):
    model = small_classifier()
    (found, _) = CAM(model)(images, [1, 1])
    # A 3x3 window at stride 2 without padding: cell i looks at pixel 2 i + 1.
    expected = placed(np.maximum(twin(model, images[0], 1), 0), range(9), range(11), 2, 1)
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-4)


def test_bias_of_the_head_is_not_part_of_the_map(images):
    model = small_classifier()
    before = CAM(model).raw(images, [0, 1])
    model.get_layer("logits").bias.assign([100.0, -100.0, 7.0])
    np.testing.assert_allclose(CAM(model).raw(images, [0, 1]), before, atol=1e-4)


def with_head(add_head, size_hw=(9, 9)):
    keras.utils.set_random_seed(0)
    image = keras.Input((*size_hw, 3))
    features = layers.Conv2D(6, 3, activation="relu", name="features")(image)
    return keras.Model(image, add_head(features))


def pooled_convolution(x):  # MobileNet's head
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(3, 1)(layers.Dropout(0.5)(x))
    return layers.Softmax()(layers.Flatten()(x))


def convolution_then_pooling(x):
    return layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1, name="class_maps")(x))


def two_dense(x):
    x = layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(3)(layers.Dense(4)(x))


@pytest.mark.parametrize("add_head", [pooled_convolution, two_dense])
@pytest.mark.parametrize("size_hw", [(9, 9), (None, None)])
def test_any_linear_head_explains_the_whole_logit(add_head, size_hw):
    model = with_head(add_head, size_hw)
    explainer = CAM(model)
    assert explainer.layer == "features"
    images = np.random.default_rng(1).uniform(0, 1, (2, 9, 9, 3)).astype("float32")
    maps = explainer.raw(images, [[0, 1, 2]] * 2)
    network = explainer.network
    logits = network.head(network.features([images]), [images]).logits.numpy()
    bias = network.head(np.zeros((1, 7, 7, 6), "float32"), [images[:1]]).logits.numpy()
    # The mean of a CAM is the logit without the bias: no evidence is lost or made up.
    np.testing.assert_allclose(maps.mean(axis=(2, 3)), logits - bias, atol=1e-4)


def test_class_maps_before_the_pooling_are_the_map_itself():
    # Network in network: the layer explained by default has one channel for each class.
    model = with_head(convolution_then_pooling)
    images = np.random.default_rng(1).uniform(0, 1, (1, 9, 9, 3)).astype("float32")
    explainer = CAM(model)
    assert explainer.layer == "class_maps"
    np.testing.assert_allclose(
        explainer.raw(images, [2])[0], explainer.network.features([images])[0, :, :, 2], atol=1e-5
    )


def hidden(activation):
    def add(x):
        x = layers.Dense(8, activation=activation)(layers.GlobalAveragePooling2D()(x))
        return layers.Dense(3)(x)

    return add


@pytest.mark.parametrize(
    "add_head",
    [
        hidden("tanh"),
        hidden("relu"),
        lambda x: layers.Dense(3)(layers.GlobalMaxPooling2D()(x)),
        lambda x: layers.Dense(3)(layers.Flatten()(x)),
        lambda x: layers.Dense(3)(layers.UnitNormalization()(layers.GlobalAveragePooling2D()(x))),
    ],
    ids=["tanh", "relu", "max pooling", "flatten", "unit norm"],
)
def test_other_heads_are_refused_with_what_to_use(add_head):
    with pytest.raises(InputError, match="use `grad_cam`"):
        explainers.create("cam", model=with_head(add_head))


def test_more_than_one_block_of_unit_features():
    # The weights are read 256 channels at a time.
    keras.utils.set_random_seed(0)
    features = keras.Input((2, 2, 300))
    dense = layers.Dense(4, bias_initializer="ones")
    head = Part([features], [dense(layers.GlobalAveragePooling2D()(features))])
    np.testing.assert_allclose(linear_weights(head), dense.kernel.numpy(), atol=1e-5)
