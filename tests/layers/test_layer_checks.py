"""The layer checker finds what it is there to find: one wrong layer for each property."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision
from keras import ops
from layers.layer_checks import check_layer

MAPS = np.random.default_rng(0).normal(0, 2, (2, 4, 6, 3)).astype("float32")


@keras.saving.register_keras_serializable(package="wsseg_tests")
class Right(keras.layers.Layer):
    """Twice its input."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class WrongShape(Right):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], 1)


class ForgetsAnArgument(Right):
    def get_config(self):
        return keras.layers.Layer.get_config(self)


class NeedsTheSize(Right):
    def call(self, inputs):
        return inputs * float(inputs.shape[1])


class LosesTheChannels(Right):
    def call(self, inputs):
        batch, height, width, _ = ops.shape(inputs)
        return tf.reshape(inputs, (batch, height, width, tf.size(inputs) // (batch * height * width)))


class NoGradient(Right):
    def call(self, inputs):
        return ops.stop_gradient(inputs)


class InfiniteGradient(Right):
    def call(self, inputs):
        return ops.sqrt(ops.square(ops.relu(inputs)))


class OverflowsInHalf(Right):
    def call(self, inputs):
        return ops.square(inputs * 200) / 200


class OtherInHalf(Right):
    def call(self, inputs):
        return inputs * (1.0 if inputs.dtype == "float32" else 1.2)


class AlwaysFloat32(Right):
    def call(self, inputs):
        return ops.cast(inputs, "float32")


class Unregistered(Right):
    pass


for wrong in list(Right.__subclasses__()):
    if wrong is not Unregistered:
        keras.saving.register_keras_serializable(package="wsseg_tests")(wrong)


def test_a_right_layer_passes():
    check_layer(Right, MAPS)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (WrongShape, "compute_output_shape says"),
        (ForgetsAnArgument, "get_config lacks {'factor'}"),
        (NeedsTheSize, "NoneType"),
        (LosesTheChannels, "channels unknown in the graph"),
        (NoGradient, "no gradient in float32"),
        (InfiniteGradient, "gradients in float32 are not finite"),
        pytest.param(OverflowsInHalf, "mixed_float16 differs from float32", marks=needs_half_precision),
        pytest.param(OtherInHalf, "mixed_float16 differs from float32", marks=needs_half_precision),
        pytest.param(
            AlwaysFloat32, "float32 in mixed_float16, stated as float16", marks=needs_half_precision
        ),
        (Unregistered, "Could not locate class|Unregistered"),
    ],
)
def test_a_wrong_layer_is_found(layer, message):
    with pytest.raises(Exception, match=message):
        check_layer(layer, MAPS)
