"""Small networks to explain."""

import keras
from keras import layers


def small_classifier(size_hw=(None, None), head="gap", channels=4, classes=3, dtype=None):
    """Return images -> one 3x3 stride-2 convolution with ReLU (`features`) -> head -> logits."""
    keras.utils.set_random_seed(0)
    image = keras.Input((*size_hw, 3))
    tensor = layers.Conv2D(channels, 3, strides=2, activation="relu", name="features", dtype=dtype)(image)
    if head == "gap":
        tensor = layers.GlobalAveragePooling2D(dtype=dtype)(tensor)
    elif head == "tanh":
        tensor = layers.Flatten(dtype=dtype)(tensor)
        tensor = layers.Dense(5, activation="tanh", bias_initializer="uniform", name="hidden")(tensor)
    logits = layers.Dense(classes, bias_initializer="uniform", name="logits", dtype=dtype)
    return keras.Model(image, logits(tensor))
