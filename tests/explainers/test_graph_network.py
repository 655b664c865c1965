"""Splitting at a layer: which layer, nested models, several inputs and outputs, shared weights, and errors."""

import keras
import numpy as np
import pytest
from keras import layers

from wsseg.errors import InputError
from wsseg.explainers.flattening import flatten
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.graph_network import GraphNetwork

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
    parts, expected = GraphNetwork(awake(model, images)), model(images, training=False).numpy()
    assert np.ptp(expected, axis=0).min() > 1e-4  # the images differ
    outputs = parts.head(parts.features([images]), [images])
    np.testing.assert_allclose(final(outputs.logits), expected, rtol=1e-4)
    np.testing.assert_allclose(outputs.values, expected, rtol=1e-4)
    np.testing.assert_allclose(parts.outputs([images]).values, expected, rtol=1e-4)
    return parts


def test_default_is_the_last_feature_the_head_reads():
    model = keras.applications.ResNet50(weights=None, classes=3, input_shape=(64, 64, 3))
    assert (
        GraphNetwork(model).layer == "conv5_block3_out"
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
    parts = GraphNetwork(model)
    moving = norm.moving_mean.numpy()
    parts.head(parts.features([images]), [images])
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
    assert GraphNetwork(model, "b.relu").layer == "b.relu"
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
    parts = GraphNetwork(mobilenet)
    first = parts.features([IMAGES]).numpy()
    layer = mobilenet.get_layer("conv1_bn")
    before = layer.beta.numpy()
    layer.beta.assign(before + 1)
    changed = parts.features([IMAGES]).numpy()
    layer.beta.assign(before)
    assert not np.allclose(first, changed)


def test_named_layer(mobilenet):
    parts = GraphNetwork(mobilenet, "conv_pw_5_relu")
    features = parts.features([IMAGES])
    assert parts.layer == "conv_pw_5_relu" and features.shape == (2, 8, 8, 64)
    np.testing.assert_allclose(parts.head(features, [IMAGES]).values, mobilenet(IMAGES), rtol=1e-4, atol=1e-6)


def test_wrong_layer_names_the_nearest(mobilenet):
    with pytest.raises(
        InputError, match="no spatial layer `conv_pw_13_rely`; did you mean `conv_pw_13_relu`"
    ):
        GraphNetwork(mobilenet, "conv_pw_13_rely")


def two_levels():
    image = keras.Input((64, 64, 3))
    first = layers.Conv2D(4, 3, activation="relu", name="first")(image)
    second = layers.Conv2D(5, 3, activation="relu", name="second")(first)
    pooled = [layers.GlobalAveragePooling2D()(level) for level in (first, second)]
    return image, layers.Dense(2)(layers.Concatenate()(pooled))


def test_default_of_a_head_that_reads_two_levels_is_where_all_goes_through():
    assert check_parts(keras.Model(*two_levels()), IMAGES).layer == "first"


def test_named_layer_beside_which_the_head_reads_too():
    model = keras.Model(*two_levels())
    parts = GraphNetwork(model, "second")
    features = parts.features([IMAGES])
    np.testing.assert_allclose(parts.head(features, [IMAGES]).values, model(IMAGES), rtol=1e-4)
    # What is put in the layer's place changes its part of the head and no other.
    kernel, bias = model.layers[-1].get_weights()
    first = model.get_layer("first")(IMAGES).numpy().mean(axis=(1, 2))
    pooled = np.concatenate([first, np.zeros((2, 5))], axis=1)
    found = parts.head(keras.ops.zeros_like(features), [IMAGES]).values
    np.testing.assert_allclose(found, pooled @ kernel + bias, rtol=1e-4)


def test_subclassed_model():
    class Own(keras.Model):
        def call(self, inputs):
            return keras.ops.mean(inputs, (1, 2))

    with pytest.raises(InputError, match=r"subclassed Own.*functional"):
        flatten(Own())


def test_sequential_without_input_shape():
    with pytest.raises(InputError, match="no input shape yet"):
        GraphNetwork(keras.Sequential([layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()]))


def test_segmenter_is_explained_at_its_coarsest_cells():
    image = keras.Input((64, 64, 3))
    fine = layers.Conv2D(4, 3, padding="same", activation="relu", name="fine")(image)
    coarse = layers.Conv2D(4, 3, strides=4, padding="same", activation="relu", name="coarse")(fine)
    deep = layers.Conv2D(4, 3, padding="same", activation="relu", name="deep")(coarse)
    both = layers.Concatenate()([fine, layers.UpSampling2D(4)(deep)])
    model = keras.Model(image, layers.Conv2D(2, 3, padding="same", name="scores")(both))
    parts = GraphNetwork(model)
    assert parts.layer == "deep" and parts.grid.stride_hw == (4, 4)
    found = parts.head(parts.features([IMAGES]), [IMAGES])
    expected = model(IMAGES).numpy()
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def two_inputs(structure):
    image, question = keras.Input((64, 64, 3), name="image"), keras.Input((4,), name="question")
    features = layers.Conv2D(4, 3, activation="relu", name="features")(image)
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(features), question])
    inputs = {"image": image, "question": question} if structure is dict else [question, image]
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(joined))


QUESTIONS = np.random.default_rng(1).uniform(-1, 1, (2, 4)).astype("float32")


@pytest.mark.parametrize("structure", [dict, list])
def test_several_inputs(structure):
    model = two_inputs(structure)
    given = {"image": IMAGES, "question": QUESTIONS} if structure is dict else [QUESTIONS, IMAGES]
    parts = GraphNetwork(model)
    assert parts.layer == "features" and parts.input_size == (64, 64)
    inputs = parts.inputs(given)
    assert inputs[parts.image].shape == IMAGES.shape
    found = parts.head(parts.features(inputs), inputs)
    np.testing.assert_allclose(found.values, model(given), rtol=1e-4, atol=1e-5)
    by_name = GradCAM(model)({"image": IMAGES, "question": QUESTIONS}, [0, 1])
    np.testing.assert_array_equal(by_name, GradCAM(model)(given, [0, 1]))
    if structure is list:
        with pytest.raises(InputError, match=r"takes 2 inputs \(question, image\)"):
            parts.inputs(IMAGES)
    with pytest.raises(InputError, match=r"takes the inputs .*; got image, questions"):
        parts.inputs({"image": IMAGES, "questions": QUESTIONS})
    with pytest.raises(InputError, match="has 1 rows and there are 2 images"):
        GradCAM(model)({"image": IMAGES, "question": QUESTIONS[:1]}, [0, 1])


def two_outputs():
    """Output a pools `first`, b pools `second`, which is made of it."""
    image = keras.Input((64, 64, 3))
    first = layers.Conv2D(4, 3, activation="relu", name="first")(image)
    second = layers.Conv2D(5, 3, activation="relu", name="second")(first)
    pool = layers.GlobalAveragePooling2D
    b = layers.Dense(3, name="b_scores")(pool()(second))
    return keras.Model(
        image, {"b": b, "a": layers.Dense(2, activation="softmax", name="a_scores")(pool()(first))}
    )


def test_several_outputs():
    model = two_outputs()
    assert GraphNetwork(model).layer == "first"  # all of both goes through it
    parts = GraphNetwork(model, output="b")
    assert parts.layer == "second" and parts.names == ("a", "b")
    found = parts.head(parts.features([IMAGES]), [IMAGES])
    for name, values in model(IMAGES).items():
        np.testing.assert_allclose(found.one(name, logits=False), values, rtol=1e-4, atol=1e-5)
    assert found.one(1, logits=True).shape == (2, 3)
    np.testing.assert_allclose(keras.ops.softmax(found.one("a", logits=True)), found.values["a"], atol=1e-5)
    with pytest.raises(InputError, match=r"has 2 outputs \(a, b\); choose one with `output=`"):
        GradCAM(model)(IMAGES, [0, 1])
    with pytest.raises(InputError, match="no output `c`; "):
        GraphNetwork(model, output="c")


def test_output_that_does_not_depend_on_the_layer():
    explainer = GradCAM(two_outputs(), layer="second", output="a")
    with pytest.raises(InputError, match="does not depend on `second`"):
        explainer(IMAGES, [0, 1])


def test_model_without_an_image():
    vector = keras.Input((4,))
    with pytest.raises(InputError, match=r"takes no image .*\[\(None, 4\)\]"):
        GraphNetwork(keras.Model(vector, layers.Dense(2)(vector)))


def test_layer_without_height_and_width():
    with pytest.raises(
        InputError, match=r"`a_scores`.* gives \(None, 2\), which has no height and width.*`second`"
    ):
        GraphNetwork(two_outputs(), "a_scores")


def test_no_place_at_all():
    image = keras.Input((64, 64, 3))
    with pytest.raises(InputError, match="no layer with a"):
        GraphNetwork(keras.Model(image, layers.Dense(2)(layers.Flatten()(image))))
