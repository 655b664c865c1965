"""Splitting at a layer: which layer, nested models, shared weights, and what can't be split."""

import keras
import numpy as np
import pytest
from keras import layers

from wsseg.errors import InputError
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.split import flatten, split

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")


def awake(model, images=IMAGES):
    """Set batch norms to the images' statistics: features of random weights would vanish without."""
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    return model


@pytest.fixture(scope="module")
def mobilenet():
    keras.utils.set_random_seed(0)
    return awake(keras.applications.MobileNet(weights=None, alpha=0.25, classes=5, input_shape=(64, 64, 3)))


def base(size=64):
    return keras.applications.MobileNet(
        weights=None, alpha=0.25, include_top=False, input_shape=(size, size, 3)
    )


def check_parts(model, images, final=lambda x: x):
    """The parts, one after the other, must be the model."""
    # Not left to the default: Keras' augmentation layers take a call without `training` for training.
    parts, expected = split(awake(model, images)), model(images, training=False).numpy()
    assert np.ptp(expected, axis=0).min() > 1e-4  # the images differ
    logits = parts.head(parts.features(images, training=False), training=False)
    np.testing.assert_allclose(final(logits), expected, rtol=1e-4)
    return parts


def test_default_is_the_last_feature_the_head_reads():
    model = keras.applications.ResNet50(weights=None, classes=3, input_shape=(64, 64, 3))
    assert (
        split(model).layer == "conv5_block3_out"
    )  # the ReLU after the addition, not a convolution before it


def test_pooling_that_keeps_its_dimensions_is_no_place(mobilenet):
    parts = check_parts(mobilenet, IMAGES, keras.ops.softmax)
    assert parts.layer == "conv_pw_13_relu"


def test_application_inside_sequential():
    model = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.RandomFlip("horizontal"),  # does nothing when explained
            layers.Rescaling(1 / 127.5, -1),
            base(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="sigmoid"),
        ]
    )
    parts = check_parts(model, IMAGES, keras.ops.sigmoid)
    assert parts.layer == "conv_pw_13_relu"


@pytest.mark.parametrize("size", [64, None])
def test_application_inside_functional(size):
    image = keras.Input((size, size, 3))
    tensor = layers.Rescaling(1 / 127.5, -1)(image)
    tensor = base(size)(tensor, training=False)
    tensor = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(tensor))
    model = keras.Model(image, layers.Softmax()(layers.Dense(3)(tensor)))
    assert check_parts(model, IMAGES, keras.ops.softmax).layer == "conv_pw_13_relu"


def test_whole_classifier_inside_sequential(mobilenet):
    model = keras.Sequential([keras.Input((64, 64, 3)), layers.Rescaling(1 / 255), mobilenet])
    parts = check_parts(model, IMAGES, keras.ops.softmax)
    assert parts.layer == "conv_pw_13_relu"


def test_nested_model_keeps_the_training_argument_of_its_call():
    norm = layers.BatchNormalization(momentum=0.5)
    inner = keras.Sequential([keras.Input((4, 4, 3)), norm, layers.Conv2D(2, 1)])
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(inner(image, training=True)))
    norm.moving_mean.assign([5.0, 5.0, 5.0])
    images = IMAGES[:, :4, :4]
    parts = split(model)
    moving = norm.moving_mean.numpy()
    parts.head(parts.features(images, training=False))
    np.testing.assert_array_equal(norm.moving_mean, moving)  # explaining never changes the model


def test_names_that_occur_twice():
    # A base saved in another session and a fresh head easily share Keras' default names.
    inner = keras.Sequential(
        [keras.Input((64, 64, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")], name="a"
    )
    other = keras.Sequential(
        [keras.Input((62, 62, 4)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")], name="b"
    )
    image = keras.Input((64, 64, 3))
    tensor = layers.Conv2D(5, 3, name="conv")(other(inner(image)))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(tensor)))
    parts = check_parts(model, IMAGES)
    assert parts.layer == "conv"
    assert split(model, "b.relu").layer == "b.relu"
    names = [layer.name for layer in flatten(model).layers]
    assert {"conv", "a.conv", "b.conv"} <= set(names)


def test_softmax_of_a_nested_layer_whose_name_occurs_twice():
    inner = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(4, 3, name="features"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax", name="last"),
        ]
    )
    model = keras.Sequential([keras.Input((64, 64, 3)), layers.Rescaling(1 / 255, name="last"), inner])
    check_parts(model, IMAGES, keras.ops.softmax)


def test_nested_model_called_twice():
    inner = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(3, 3, padding="same", activation="relu")]
    )
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(inner(inner(image)))))
    check_parts(model, IMAGES)


def test_explaining_leaves_the_model_as_it_was(tmp_path, mobilenet):
    image = keras.Input((64, 64, 3))
    tensor = layers.GlobalAveragePooling2D()(base()(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(tensor))
    before, names = model(IMAGES).numpy(), [layer.name for layer in model.layers]
    GradCAM(model)(IMAGES, [0, 1])
    assert [layer.name for layer in model.layers] == names
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(IMAGES), before)


def test_parts_follow_the_models_weights(mobilenet):
    parts = split(mobilenet)
    first = parts.features(IMAGES).numpy()
    layer = mobilenet.get_layer("conv1_bn")
    before = layer.beta.numpy()
    layer.beta.assign(before + 1)
    changed = parts.features(IMAGES).numpy()
    layer.beta.assign(before)
    assert not np.allclose(first, changed)


def test_named_layer(mobilenet):
    parts = split(mobilenet, "conv_pw_5_relu")
    assert parts.layer == "conv_pw_5_relu" and parts.features.output_shape == (None, 8, 8, 64)
    np.testing.assert_allclose(
        keras.ops.softmax(parts.head(parts.features(IMAGES))), mobilenet(IMAGES), rtol=1e-4
    )


def test_wrong_layer_names_the_nearest(mobilenet):
    with pytest.raises(
        InputError, match="no spatial layer `conv_pw_13_rely`; did you mean `conv_pw_13_relu`"
    ):
        split(mobilenet, "conv_pw_13_rely")


def two_levels():
    image = keras.Input((64, 64, 3))
    first = layers.Conv2D(4, 3, activation="relu", name="first")(image)
    second = layers.Conv2D(5, 3, activation="relu", name="second")(first)
    pooled = [layers.GlobalAveragePooling2D()(level) for level in (first, second)]
    return image, layers.Dense(2)(layers.Concatenate()(pooled))


def test_head_that_reads_two_levels_is_split_where_all_goes_through():
    model = keras.Model(*two_levels())
    assert check_parts(model, IMAGES).layer == "first"
    with pytest.raises(InputError, match=r"can't be split at `second`.* such as `first`"):
        split(model, "second")


def test_subclassed_model():
    class Own(keras.Model):
        def call(self, inputs):
            return keras.ops.mean(inputs, (1, 2))

    with pytest.raises(InputError, match=r"subclassed Own.*functional"):
        split(Own())


def test_sequential_without_input_shape():
    with pytest.raises(InputError, match="no input shape yet"):
        split(keras.Sequential([layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()]))


def test_several_outputs():
    image, output = two_levels()
    with pytest.raises(InputError, match="expected one image in"):
        split(keras.Model(image, [output, output]))


def test_segmentation_output():
    image = keras.Input((64, 64, 3))
    with pytest.raises(
        InputError, match=r"\(None, 62, 62, 2\).*expected one image in and \(batch, classes\)"
    ):
        split(keras.Model(image, layers.Conv2D(2, 3)(image)))


def test_several_inputs():
    one, two = keras.Input((64, 64, 3)), keras.Input((4,))
    with pytest.raises(InputError, match="2 inputs"):
        split(keras.Model([one, two], layers.Concatenate()([layers.GlobalAveragePooling2D()(one), two])))


def test_no_place_at_all():
    image = keras.Input((64, 64, 3))
    with pytest.raises(InputError, match="no layer with a"):
        split(keras.Model(image, layers.Dense(2)(layers.Flatten()(image))))
