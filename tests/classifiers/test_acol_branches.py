"""ACoL's forward pass against loops in NumPy, erasing included, and where its gradients go."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from references import class_map_heads

from wsseg import classifiers, explainers
from wsseg.errors import InputError

LABELS = np.array([[1, 0, 1], [0, 1, 0]], "float32")


@pytest.fixture(scope="module")
def model(build):
    model = build("acol")
    for place, layer in enumerate(branch(model, "a") + branch(model, "b")):
        layer.bias.assign(np.linspace(-0.3, 0.2, layer.filters) * (1 + place))
    return model


def branch(model, letter):
    """Return a branch's three layers."""
    if letter == "b":
        return list(model.branch_b)
    return [model.get_layer(f"branch_a_{name}") for name in ("conv_1", "conv_2", "maps")]


def weights_of(model, letter):
    return [weight for layer in branch(model, letter) for weight in layer.get_weights()]


def twin(model, images, classes, insides=(None, None)):
    """Return both branches' maps of each image by the loops."""
    features = keras.Model(model.input, model.features)(images).numpy()
    weights = [weights_of(model, letter) for letter in "ab"]
    pairs = [
        class_map_heads.acol(one, *weights, chosen, model.erase_threshold, inside)
        for one, chosen, inside in zip(features, classes, insides)
    ]
    return [np.stack(maps) for maps in zip(*pairs)]


def test_both_branches_with_given_classes(model, images):
    expected = twin(model, images, [{0, 2}, {1}])
    found = model.branch_maps(given_classes=True)([images, LABELS])
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)
    # The erasing matters: with no class at all, branch B sees everything.
    whole = twin(model, images, [set(), set()])[1]
    assert np.abs(whole - expected[1]).max() > 1e-2
    np.testing.assert_allclose(
        model.branch_maps(given_classes=True)([images, 0 * LABELS])[1], whole, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_without_labels_the_predicted_classes_are_erased(model, images, activation, build):
    other = build("acol", activation=activation)
    other.set_weights(model.get_weights())
    first = keras.Model(other.input, other.class_maps)(images).numpy()
    classes = [class_map_heads.predicted(one.mean((0, 1)), activation == "softmax") for one in first]
    expected = twin(other, images, classes)
    for mine, wanted in zip(other.branch_maps()(images), expected, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-4)


def test_the_output_is_branch_as(model, images):
    expected = twin(model, images, [set(), set()])[0].mean((1, 2))
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4)


def test_the_trained_logits_of_padded_images(model, images, padded):
    insides = [class_map_heads.cells_inside((4, 6), (64, 96), size_hw) for size_hw in ((40, 64), (64, 96))]
    expected = twin(model, images, [{0, 2}, {1}], insides)
    found = model.to_train()([images, padded, LABELS])
    for mine, maps in zip(found, expected, strict=True):
        means = [class_map_heads.mean_inside(one, inside) for one, inside in zip(maps, insides)]
        np.testing.assert_allclose(mine, np.stack(means), rtol=1e-4, atol=1e-4)
    unpadded = twin(model, images, [{0, 2}, {1}])[1]
    assert np.abs(unpadded[0] - expected[1][0]).max() > 1e-2  # the scaling leaves the padding out


def test_the_loss_is_the_sum_of_the_branches(model, images, padded):
    trained = model.to_train()
    trained.compile(loss=model.training_loss())
    inputs, targets = model.example((images, padded), LABELS)
    found = trained.evaluate(inputs, targets, batch_size=2, verbose=0, return_dict=True)
    logits = [x.numpy().astype(float) for x in trained([images, padded, LABELS])]
    each = [np.mean(np.maximum(x, 0) - x * LABELS + np.log1p(np.exp(-np.abs(x)))) for x in logits]
    np.testing.assert_allclose(found["loss"], sum(each), rtol=1e-4)
    np.testing.assert_allclose([found["branch_a_loss"], found["branch_b_loss"]], each, rtol=1e-4)


def test_gradients_reach_both_branches_and_not_by_the_erased_region(model, images, padded):
    trained = model.to_train()
    layers = {
        letter: [v for layer in branch(model, letter) for v in layer.trainable_variables] for letter in "ab"
    }
    backbone = model.get_layer("block_5_conv").trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        first, second = (tf.reduce_sum(x) for x in trained([images, padded, LABELS]))
    assert all(np.abs(g).max() > 0 for g in tape.gradient(first, layers["a"] + backbone))
    assert all(np.abs(g).max() > 0 for g in tape.gradient(second, layers["b"] + backbone))
    # Branch B's loss depends on branch A's weights only by what they erase, which is a constant.
    assert tape.gradient(second, layers["a"]) == [None] * 6
    assert tape.gradient(first, layers["b"]) == [None] * 6


def test_the_published_widths():
    model = classifiers.create("acol", backbone="tiny", num_classes=20)
    head = sum(v.numpy().size for v in model.head_variables)
    assert head == 2 * ((9 * 48 + 1) * 1024 + (9 * 1024 + 1) * 1024 + 1025 * 20)


def test_cam_names_the_explainer_of_both_branches(model):
    with pytest.raises(InputError, match="CAM would show only one branch of `acol_classifier`; use `acol`"):
        explainers.create("cam", model=model)
    assert type(explainers.create("acol", model=model)).__name__ == "ACoL"
