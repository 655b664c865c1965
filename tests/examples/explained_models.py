"""Small models of the kinds that explainers meet: two inputs, subclassed, nested."""

import keras
import numpy as np
from keras import layers


def two_input_classifier(size_hw=(None, None), classes=3):
    """Return {image, words} -> probabilities; a convolution `features`, and a tanh layer that reads both inputs.

    Of its six channels number 4 is 0 everywhere, and number 5 is 0.5 everywhere.
    """
    keras.utils.set_random_seed(0)
    image, words = keras.Input((*size_hw, 3), name="image"), keras.Input((2,), name="words")
    convolution = layers.Conv2D(6, 3, strides=2, activation="relu", name="features")
    tensor = layers.GlobalAveragePooling2D()(convolution(image))
    tensor = layers.Concatenate()([tensor, words])
    tensor = layers.Dense(5, activation="tanh", bias_initializer="uniform", name="hidden")(tensor)
    scores = layers.Dense(classes, activation="softmax", bias_initializer="uniform", name="scores")(tensor)
    kernel, bias = convolution.get_weights()
    # The others are given a bias with which they are 0 in places only, for images in [0, 1].
    kernel[..., 4:], bias[:] = 0, (0.7, -0.3, -0.3, 0.7, -1, 0.5)
    convolution.set_weights([kernel, bias])
    model = keras.Model({"image": image, "words": words}, scores)
    hidden = model.get_layer("hidden")
    # Scores that depend on the image enough for a tolerance of 1e-4 to mean something: the tanh is steep, and at 0
    # where the channels have about their usual means.
    hidden.kernel.assign(hidden.kernel * np.array([[20]] * 6 + [[1]] * 2))
    hidden.bias.assign(-np.array([0.08, 0.17, 0.27, 0.15, 0, 0.5, 0, 0]) @ hidden.kernel)
    return model


class SubclassedClassifier(keras.Model):
    """What `small_classifier` with its "gap" head computes, by layers of its own `call`."""

    def __init__(self, functional):
        super().__init__()
        self.features, self.logits = functional.get_layer("features"), functional.get_layer("logits")

    def call(self, images):
        return self.logits(keras.ops.mean(self.features(images), axis=(1, 2)))


def nested_classifier(size_hw, inner):
    """Return a functional model with `inner` inside, behind a preprocessing that leaves the image as it is."""
    image = keras.Input((*size_hw, 3))
    return keras.Model(image, inner(layers.Rescaling(1.0)(image)))


def two_inputs(batch=2, size_hw=(9, 11), seed=0):
    """Return images in [0, 1] and words for `two_input_classifier`, a list in the order of its inputs."""
    random = np.random.default_rng(seed)
    return [
        random.uniform(0, 1, (batch, *size_hw, 3)).astype("float32"),
        random.normal(size=(batch, 2)).astype("float32"),
    ]
