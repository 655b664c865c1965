"""Precision, determinism and XLA as the recipe says."""

import dataclasses

import keras
import pytest
import tensorflow as tf

from wsseg.recipe import Recipe
from wsseg.training.device import prepare, use_jit


def test_prepare(monkeypatch):
    calls = []
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: calls.append("deterministic")
    )
    try:
        prepare(dataclasses.replace(Recipe(), precision="mixed_float16"))
        assert keras.config.dtype_policy().name == "mixed_float16" and calls == ["deterministic"]
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("jit", "gpus", "expected"),
    [("auto", [], False), ("auto", ["GPU:0"], True), (True, [], True), (False, ["GPU:0"], False)],
)
def test_jit(monkeypatch, jit, gpus, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    assert use_jit(dataclasses.replace(Recipe(), jit=jit)) is expected
