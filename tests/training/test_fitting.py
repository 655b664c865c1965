"""What `fit` shows of a training: its progress."""

import types
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf

from wsseg.recipe import TrainingConfig
from wsseg.training import fitting


class Batches:
    """Two batches an epoch; the process may be stopped before an epoch."""

    steps = 2

    def __init__(self, kill_in=None):
        self.kill_in = kill_in

    def epoch(self, number):
        if number == self.kill_in:
            raise KeyboardInterrupt
        return tf.data.Dataset.from_tensor_slices((np.ones((2, 4, 8)), np.ones((2, 4, 1))))


def test_steps_of_an_earlier_process_do_not_count_as_speed(tmp_path, monkeypatch):
    """They were counted: a training resumed at half of its steps said that it would end at once."""
    bars, steps = [], []

    @contextmanager
    def bar(*arguments):
        bars.append(arguments)
        yield steps.append

    monkeypatch.setattr(fitting, "bar", bar)

    def train(kill_in=None):
        image = keras.Input((8,))
        model = keras.Model(image, keras.layers.Dense(1)(image))
        recipe = types.SimpleNamespace(seed=3, jit=False)
        config = TrainingConfig(epochs=3)
        fitting.fit(recipe, config, model, Batches(kill_in), [], tmp_path, "training", "mse")

    with pytest.raises(KeyboardInterrupt):
        train(kill_in=1)
    train()
    assert bars == [("training", 6, "steps", 0), ("training", 6, "steps", 2)]
    assert len(steps) == 6  # two, then four: none for the epoch that was done
