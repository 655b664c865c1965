"""Optimizers: rate of the head, poly schedule, weight decay; steps compared with arithmetic."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.training import optimizers


def network():
    """Return a network whose layers are named like what weight decay spares."""
    keras.utils.set_random_seed(0)
    image = keras.Input((3,))
    tensor = keras.layers.Dense(4, name="gamma_ray", bias_initializer="ones")(image)
    tensor = keras.layers.BatchNormalization(name="norm")(tensor)
    return keras.Model(image, keras.layers.Dense(2, name="beta_head", bias_initializer="ones")(tensor))


def head_of(model):
    return model.get_layer("beta_head").trainable_variables


def step(model, optimizer, value):
    """Apply a gradient of `value` everywhere; return what was added to each variable, by path."""
    before = {v.path: v.numpy() for v in model.trainable_variables}
    optimizer.apply([tf.fill(v.shape, value) for v in model.trainable_variables], model.trainable_variables)
    return {v.path: v.numpy() - before[v.path] for v in model.trainable_variables}


def test_head_takes_larger_steps():
    model = network()
    change = step(model, optimizers.create("sgd", 0.01, 100, head_of(model), 10.0), 2.0)
    for path, difference in change.items():
        np.testing.assert_allclose(difference, -0.2 if path.startswith("beta_head/") else -0.02, rtol=1e-4)


def test_head_takes_larger_steps_when_fitted_and_under_mixed_precision():
    for policy in ("float32", "mixed_float16"):
        model = network()
        inputs = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        wanted = np.full((4, 2), 5, "float32")
        plain = keras.models.clone_model(model)
        plain.set_weights(model.get_weights())
        change = []
        for one, factor in ((plain, 1.0), (model, 10.0)):
            optimizer = optimizers.create("sgd", 0.001, 100, head_of(one), factor)
            if policy == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            one.compile(optimizer, "mse", jit_compile=False)
            before = [v.numpy() for v in one.trainable_variables]
            one.fit(inputs, wanted, batch_size=4, verbose=0)
            change.append([v.numpy() - b for v, b in zip(one.trainable_variables, before)])
        for small, large, variable in zip(*change, model.trainable_variables):
            factor = 10 if variable.path.startswith("beta_head/") else 1
            np.testing.assert_allclose(large, factor * small, rtol=1e-2, atol=1e-6)
        assert np.abs(change[0][-1]).max() > 1e-5


def test_adamw_head_takes_larger_steps():
    model = network()
    change = step(model, optimizers.create("adamw", 0.01, 100, head_of(model), 5.0), 3.0)
    for path, difference in change.items():  # Adam's first step is the rate
        np.testing.assert_allclose(difference, -0.05 if path.startswith("beta_head/") else -0.01, rtol=1e-3)


def test_momentum_is_nine_tenths():
    model = network()
    optimizer = optimizers.create("sgd", 0.01, 10**6)
    step(model, optimizer, 1.0)
    np.testing.assert_allclose(step(model, optimizer, 1.0)["norm/beta"], -0.01 * 1.9, rtol=1e-3)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_poly_schedule(name):
    optimizer = optimizers.create(name, 0.5, 10)
    optimizer.build(network().trainable_variables)
    for iteration, expected in [
        (0, 0.5),
        (1, 0.5 * 0.9**0.9),
        (5, 0.5 * 0.5**0.9),
        (9, 0.5 * 0.1**0.9),
        (10, 0),
        (99, 0),
    ]:
        optimizer.iterations.assign(iteration)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_spares_biases_and_norms_whatever_layers_are_called(name):
    model = network()
    optimizer = optimizers.create(name, 0.1, 100, head_of(model), 10.0, weight_decay=0.5)
    before = {v.path: v.numpy() for v in model.trainable_variables}
    change = step(model, optimizer, 0.0)
    for path, difference in change.items():
        share = 0.05 if path.endswith("kernel") else 0.0  # decay x rate
        np.testing.assert_allclose(difference, -share * before[path], rtol=1e-4, atol=1e-7)
    assert {path for path, difference in change.items() if np.abs(difference).max() > 1e-3} == {
        "gamma_ray/kernel",
        "beta_head/kernel",
    }


def test_no_decay_by_default():
    for name in ("sgd", "adamw"):
        assert all(not d.any() for d in step(network(), optimizers.create(name, 0.1, 10), 0.0).values())


def test_compiled_model_can_be_saved_and_loaded_to_train_on(tmp_path):
    model = network()
    model.compile(optimizers.create("sgd", 0.01, 100, head_of(model), 10.0, 1e-4), "mse", jit_compile=False)
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 1 and float(loaded.optimizer.momentum) == 0.9
    loaded.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)


def test_wrong_name():
    with pytest.raises(InputError, match="unknown optimizer `adam`; did you mean `adamw`"):
        optimizers.create("adam", 0.1, 10)
