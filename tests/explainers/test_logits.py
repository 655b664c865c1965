"""Scores before the final activation, however it is written, against a GradientTape of the pre-activation by hand."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision
from keras import layers, ops

from wsseg import explainers
from wsseg.explainers.flattening import flatten
from wsseg.explainers.graph_search import spatial_layers
from wsseg.explainers.logits import logits_of

IMAGES = np.random.default_rng(1).uniform(0, 255, (2, 12, 12, 3)).astype("float32")


def dense(units=3, activation=None, **options):
    return layers.Dense(units, activation=activation, bias_initializer="uniform", **options)


def softmax_by_hand(z):
    powers = ops.exp(z - ops.max(z, axis=-1, keepdims=True))
    return powers / ops.sum(powers, axis=-1, keepdims=True)


class Head(layers.Layer):
    """A user's layer with the activation inside, behind another one."""

    def __init__(self, last):
        super().__init__()
        self.first, self.last = layers.Dense(4, activation="gelu"), last

    def call(self, x):
        return self.last(self.first(x))


class Scaled(layers.Layer):
    def call(self, x):
        return tf.nn.softmax(x / 2.0)


def joined(*parts):
    return layers.Concatenate()(list(parts))


# Name -> (function from the pooled features to the output, how the score is made of all heads' pre-activations).
ENDS = {
    "name": lambda x, d: d(3, "softmax")(x),
    "tf function": lambda x, d: d(3, tf.nn.softmax)(x),
    "tf sigmoid": lambda x, d: d(3, tf.sigmoid)(x),
    "keras operation": lambda x, d: d(3, ops.softmax)(x),
    "layer as activation": lambda x, d: d(3, layers.Softmax())(x),
    "lambda": lambda x, d: d(3, lambda z: tf.nn.softmax(z, -1))(x),
    "partial": lambda x, d: d(3, functools.partial(ops.softmax, axis=-1))(x),
    "hard sigmoid": lambda x, d: d(3, "hard_sigmoid")(x),
    "tanh": lambda x, d: d(3, "tanh")(x),
    "log softmax": lambda x, d: d(3, "log_softmax")(x),
    "Lambda layer": lambda x, d: layers.Lambda(lambda z: tf.nn.softmax(z))(d()(x)),
    "operation": lambda x, d: ops.sigmoid(d()(x)),
    "by hand": lambda x, d: softmax_by_hand(d()(x)),
    "reshape": lambda x, d: layers.Reshape((3,))(layers.Softmax()(layers.Reshape((1, 3))(d()(x)))),
    "dropout": lambda x, d: layers.Dropout(0.5)(layers.Softmax()(d()(x))),
    "clip": lambda x, d: ops.clip(layers.Softmax()(d()(x)), 1e-7, 1 - 1e-7),
    "cast, flatten, rescaling": lambda x, d: layers.Rescaling(1.0)(
        layers.Flatten()(ops.cast(layers.Softmax()(d()(x)), "float32"))
    ),
    "per cent": lambda x, d: 100 * d(3, "softmax")(x),
    "batch normalisation before": lambda x, d: layers.Softmax()(layers.BatchNormalization(epsilon=0)(d()(x))),
    "fourteen heads": lambda x, d: joined(*(d(1, "sigmoid")(x) for _ in range(14))),
    "stacked heads": lambda x, d: ops.squeeze(ops.stack([d(1, tf.sigmoid)(x) for _ in range(5)], 1), -1),
    "heads of several kinds": lambda x, d: joined(d(3, "softmax")(x), d(2, "softmax")(x), d(2, "sigmoid")(x)),
    "without the background": lambda x, d: layers.Softmax()(d(4)(x))[:, :3],
    "spectral normalisation": lambda x, d: layers.SpectralNormalization(d(3, "softmax"))(x),
    "time-distributed": lambda x, d: layers.Reshape((3,))(
        layers.TimeDistributed(d(3, "softmax"))(layers.Reshape((1, 5))(x))
    ),
    "nested": lambda x, d: keras.Sequential([keras.Input((5,)), d(), layers.Activation("softmax")])(x),
    "thousand classes as a map": lambda x, d: layers.Reshape((1000,))(
        layers.Softmax()(layers.Reshape((1, 1, 1000))(d(1000)(x)))
    ),
}
OTHERS = {  # the scores as functions of the pre-activations
    "reversed": (lambda x, d: ops.flip(d(3, "sigmoid")(x), axis=1), lambda z: z[:, ::-1]),
    "temperature": (lambda x, d: layers.Softmax()(d()(x) / 2.0), lambda z: z / 2),
    "label smoothing": (lambda x, d: layers.Softmax()(d()(x)) * 0.9 + 0.1 / 3, lambda z: z),
    "temperature inside": (lambda x, d: Scaled()(d()(x)), lambda z: z / 2),
    "complement": (
        lambda x, d: (lambda p: joined(1 - p, p))(d(1, "sigmoid")(x)),
        lambda z: tf.concat([-z, z], axis=1),
    ),
    "pairs": (
        lambda x, d: layers.Softmax()(layers.Reshape((3, 2))(d(6)(x)))[:, :, 1],
        lambda z: z[:, 1::2],
    ),
}


def build(end):
    """Return the model, its features, and all last dense layers that `end` made."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    features = layers.Conv2D(5, 3, strides=3, activation="relu")(image)
    made = []

    def make(*args, **kwargs):
        made.append(dense(*args, **kwargs))
        return made[-1]

    output = end(layers.GlobalAveragePooling2D()(features), make)
    model = keras.Model(image, output)
    for one in made:  # a sure model
        if one.units < 100:
            one.kernel.assign(20 * one.kernel)
    return model, keras.Model(image, features), made


def explained(model, features_of, columns):
    """HiResCAM of the logits that are found, `(B, columns, h, w)`, without an explainer's compilation."""
    flat = flatten(model)
    features = next(iter(spatial_layers(flat, flat.inputs[0]).values()))
    cells = features_of(IMAGES)
    head = keras.Model(features, logits_of(flat.outputs[0]).tensor)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(cells)
        logits = head(cells, training=False)
        scores = [logits[:, i] for i in range(columns)]
    return np.stack([tf.reduce_sum(tape.gradient(x, cells) * cells, axis=-1) for x in scores], axis=1)


def by_hand(cells, made, arrange=lambda z: z, columns=3):
    """HiResCAM of the pre-activations, `(B, columns, h, w)`, from a tape."""
    features = cells(IMAGES)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        pooled = tf.reduce_mean(features, axis=(1, 2))
        z = arrange(tf.concat([pooled @ one.kernel + one.bias for one in made], axis=1))
        scores = [z[:, i] for i in range(columns)]
    gradients = [tape.gradient(score, features) for score in scores]
    return np.stack([tf.reduce_sum(g * features, axis=-1) for g in gradients], axis=1)


@pytest.mark.parametrize("name", [*ENDS, *OTHERS])
def test_the_pre_activation_is_explained(name):
    end, arrange = OTHERS[name] if name in OTHERS else (ENDS[name], lambda z: z)
    model, cells, made = build(end)
    columns = min(3, model.output_shape[-1])
    expected = by_hand(cells, made, arrange, columns)
    found = explained(model, cells, columns)
    if name in ("by hand", "fourteen heads", "time-distributed", "pairs"):
        found = explainers.create("hires_cam", model).raw(IMAGES, [list(range(columns))] * 2)
    assert np.abs(expected).max(axis=(0, 2, 3)).min() > 1e-2
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_average_of_members_is_said(name):
    with pytest.warns(UserWarning, match=f"mean of 3 {name} outputs.*mean of their logits is explained"):
        model, cells, made = build(lambda x, d: layers.Average()([d(3, name)(x) for _ in range(3)]))
        explainer = explainers.create("hires_cam", model)
    expected = by_hand(cells, made, lambda z: (z[:, :3] + z[:, 3:6] + z[:, 6:]) / 3)
    found = explainer.raw(IMAGES, [[0, 1, 2]] * 2)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_head_of_a_users_own_layer():
    last = dense(3, "softmax")
    model, cells, _ = build(lambda x, d: Head(last)(x))
    first = model.layers[-1].first
    features = cells(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = (first(tf.reduce_mean(features, axis=(1, 2))) @ last.kernel)[:, 1]
    expected = tf.reduce_sum(tape.gradient(score, features) * features, axis=-1)
    found = explainers.create("hires_cam", model).raw(IMAGES, [1, 1])
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


class Opaque(layers.Layer):
    def __init__(self, end):
        super().__init__()
        self.dense, self.end = layers.Dense(3), end

    def call(self, x):
        return self.end(self.dense(x))


@pytest.mark.parametrize(
    ("end", "kind", "probabilities", "known"),
    [
        (lambda x: dense()(x), "none", False, True),
        (lambda x: dense(3, "relu")(x), "none", False, True),
        (lambda x: dense()(x) + dense()(x), "none", False, True),
        (lambda x: Opaque(lambda z: 2 * z)(x), "none", False, True),
        (lambda x: Opaque(tf.nn.softmax)(x), "none", False, False),
        (lambda x: dense(3, "softmax")(x) ** 2, "none", False, False),
        (lambda x: dense(3, "softmax")(x), "softmax", True, True),
        (lambda x: 100 * dense(3, "softmax")(x), "softmax", False, True),
        (lambda x: dense(3, "log_softmax")(x), "log_softmax", False, True),
        (lambda x: dense(3, "hard_sigmoid")(x), "bounded", True, True),
        (lambda x: dense(3, "tanh")(x), "bounded", False, True),
        (lambda x: joined(dense(2, "softmax")(x), dense(1, "sigmoid")(x)), "mixed", True, True),
        (lambda x: dense(2000, tf.nn.softmax)(x), "softmax", True, True),
    ],
)
def test_kind_of_end(end, kind, probabilities, known):
    found = logits_of(end(keras.Input((4,))))
    assert (found.kind, found.probabilities, found.known) == (kind, probabilities, known)


@pytest.mark.parametrize("size_hw", [(None, None), (6, 8)])
def test_maps_of_classes(size_hw):
    image = keras.Input((*size_hw, 3))
    for activation, kind in ((tf.nn.softmax, "softmax"), (tf.sigmoid, "sigmoid"), (None, "none")):
        scores = layers.Conv2D(4, 1, activation=activation)(image)
        assert logits_of(scores).kind == kind
        for after in (
            layers.UpSampling2D(2, interpolation="bilinear"),
            layers.Permute((3, 1, 2)),
            layers.Cropping2D(1),
            layers.Resizing(9, 9),
        ):
            assert logits_of(after(scores)).kind == kind
        assert (
            logits_of(layers.UpSampling2D(2)(layers.Activation(activation)(layers.Conv2D(4, 1)(image)))).kind
            == kind
        )
    large = layers.Softmax()(layers.UpSampling2D(2)(layers.Conv2D(4, 1)(image)))
    assert logits_of(large).kind == "softmax"


def test_map_of_classes_that_is_enlarged_after_its_softmax():
    image = keras.Input((6, 8, 3))
    convolution = layers.Conv2D(4, 1, activation=tf.nn.softmax)
    enlarge = layers.UpSampling2D(2, interpolation="bilinear")
    output = enlarge(convolution(image))
    images = np.random.default_rng(0).normal(size=(2, 6, 8, 3)).astype("float32")
    found = keras.Model(image, logits_of(output).tensor)(images)
    expected = enlarge(tf.einsum("bhwc,ck->bhwk", images, convolution.kernel[0, 0]) + convolution.bias)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_mean_over_the_cells_of_a_map_is_said():
    cells = layers.Conv2D(2, 1, activation="sigmoid")(keras.Input((6, 8, 3)))
    found = logits_of(layers.GlobalAveragePooling2D()(cells))
    assert found.kind == "sigmoid" and "mean of sigmoid outputs" in found.note


@needs_half_precision
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    x = keras.Input((4,))
    assert logits_of(dense(3, "softmax", dtype=policy)(x)).kind == "softmax"
    assert (
        logits_of(joined(dense(1, "sigmoid", dtype=policy)(x), dense(1, "sigmoid", dtype=policy)(x))).kind
        == "sigmoid"
    )


def test_model_of_one_fixed_batch():
    x = keras.Input(batch_shape=(1, 4))
    found = logits_of(ops.reshape(joined(dense(2, "sigmoid")(x), dense(2, "sigmoid")(x)), (1, 4)))
    assert found.kind == "sigmoid" and found.tensor.shape == (1, 4)
