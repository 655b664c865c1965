"""Precision, determinism and XLA as the recipe says."""

import dataclasses

import keras
import numpy as np
import pytest
from tensorflow.python.framework import config

from wsseg.recipe import Recipe
from wsseg.training.device import prepare


@pytest.fixture(autouse=True)
def _as_it_was():
    before = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    keras.config.set_dtype_policy("float32")
    (config.enable_op_determinism if before else config.disable_op_determinism)()


def test_operations_are_deterministic_and_of_the_precision_asked_for():
    prepare(dataclasses.replace(Recipe(), precision="mixed_float16"))
    assert keras.config.dtype_policy().name == "mixed_float16"
    assert config.is_op_determinism_enabled()


@pytest.mark.parametrize("jit", [False, True])
def test_a_step_is_compiled_by_xla_where_asked_for(jit):
    # With deterministic operations Keras would warn, which is an error here, and not compile.
    prepare(dataclasses.replace(Recipe(), jit=jit))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=jit)
    assert np.isfinite(model.train_on_batch(np.ones((1, 2)), np.ones((1, 1))))
    assert model.jit_compile is jit
