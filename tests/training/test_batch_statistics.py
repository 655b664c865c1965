"""Statistics of batch normalisation against NumPy, and where they must not change."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.segmenters import NUM_CLASSES, SceneBatches, small
from keras import layers

from wsseg import losses
from wsseg.recipe import Recipe, TeacherConfig, TrainingConfig
from wsseg.training.batch_statistics import estimate_statistics
from wsseg.training.fitting import fit
from wsseg.training.mean_teacher import MeanTeacher


class Batches:
    """Random images and labels, other ones each epoch, in the form of `TrainingBatches`."""

    def __init__(self, steps=3, size=4, shape=(8, 8, 3), single=False):
        self.steps, self.size, self.shape, self.single = steps, size, shape, single
        self.shown = []

    def arrays(self, number):
        """Return `(steps, size, ...)` images and labels of an epoch."""
        random = np.random.default_rng([5, number])
        images = random.normal(3, 2, (self.steps, self.size, *self.shape)).astype(np.float32)
        images += random.normal(0, 1, (self.steps, 1, 1, 1, 1)).astype(np.float32)
        return images, (images.mean((2, 3, 4)) > 3).astype(np.float32)[..., None]

    def epoch(self, number):
        self.shown.append(number)
        return tf.data.Dataset.from_tensor_slices(self.arrays(number))


def norms_of(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]


def two_norms(freeze=False, momentum=0.99):
    """Return two convolutions with batch norm between; the second sees what the first makes of a batch."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    tensor = layers.BatchNormalization(momentum=momentum, name="first")(layers.Conv2D(4, 3)(image))
    tensor = layers.Conv2D(5, 3)(layers.ReLU()(tensor))
    tensor = layers.BatchNormalization(momentum=momentum, name="second")(tensor)
    tensor = layers.Dense(1)(layers.GlobalAveragePooling2D()(layers.ReLU()(tensor)))
    model = keras.Model(image, tensor)
    model.get_layer("first").trainable = not freeze
    return model


def convolved(images, layer):
    """Convolve without padding, in float64."""
    kernel, bias = (value.astype(np.float64) for value in layer.get_weights())
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(np.float64), kernel.shape[:2], (1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, kernel) + bias


def normalised(values, layer, mean, variance):
    gamma, beta = (value.astype(np.float64) for value in layer.get_weights()[:2])
    return (values - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta


def moments_in_numpy(model, images):
    """Return, for each layer, the means `(steps, C)` and variances of batches normalised by themselves."""
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    found = {"first": ([], []), "second": ([], [])}
    for tensor in images:
        for convolution, name in zip(convolutions, found):
            tensor, layer = convolved(tensor, convolution), model.get_layer(name)
            mean, variance = tensor.mean((0, 1, 2)), tensor.var((0, 1, 2))
            for rows, row in zip(found[name], (mean, variance)):
                rows.append(row)
            if not layer.trainable:
                mean, variance = layer.get_weights()[2:]
            tensor = np.maximum(normalised(tensor, layer, mean, variance), 0)
    return {name: [np.array(rows) for rows in both] for name, both in found.items()}


@pytest.mark.parametrize("most", [2, 50])
def test_means_are_the_batches_means_and_variances_those_over_all_of_them(most):
    model, batches = two_norms(), Batches()
    weights = [variable.numpy() for variable in model.trainable_variables]
    estimate_statistics(model, batches, 7, 0, most, "test")
    assert batches.shown == [7]
    images = batches.arrays(7)[0][:most]
    for name, (means, variances) in moments_in_numpy(model, images).items():
        _, _, mean, variance = model.get_layer(name).get_weights()
        np.testing.assert_allclose(mean, means.mean(0), rtol=1e-4, atol=1e-5)
        pooled = (variances + (means - means.mean(0)) ** 2).mean(0)
        np.testing.assert_allclose(variance, pooled, rtol=1e-4)
        assert np.abs(pooled / variances.mean(0) - 1).max() > 1e-3  # the two forms can be told apart
        assert model.get_layer(name).momentum == 0.99
    for before, variable in zip(weights, model.trainable_variables):
        np.testing.assert_array_equal(before, variable.numpy())
    # The layers are as before: a further call moves the averages by a hundredth.
    mean = model.get_layer("first").get_weights()[2]
    images = batches.arrays(1)[0][0]
    model(images, training=True)
    expected = 0.99 * mean + 0.01 * moments_in_numpy(model, [images])["first"][0][0]
    np.testing.assert_allclose(model.get_layer("first").get_weights()[2], expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_layer_keeps_its_statistics():
    model, batches = two_norms(freeze=True), Batches()
    before = model.get_layer("first").get_weights()
    estimate_statistics(model, batches, 0, 0, 50, "test")
    for one, other in zip(before, model.get_layer("first").get_weights()):
        np.testing.assert_array_equal(one, other)
    means = moments_in_numpy(model, batches.arrays(0)[0])["second"][0].mean(0)  # behind moving averages
    np.testing.assert_allclose(model.get_layer("second").get_weights()[2], means, rtol=1e-4, atol=1e-5)


def test_a_layer_that_a_network_calls_in_inference_mode_keeps_its_statistics():
    class Network(keras.Model):  # of functional models Keras overrules each layer's own mode
        def __init__(self):
            super().__init__()
            self.norm = layers.BatchNormalization()

        def call(self, images, training=None):
            return self.norm(images, training=False)

    model = Network()
    model(np.zeros((1, 8, 8, 3), np.float32))
    norm = model.norm
    norm.moving_mean.assign([1.0, 2.0, 3.0])
    estimate_statistics(model, Batches(), 0, 0, 50, "test")
    assert norm.moving_mean.numpy().tolist() == [1, 2, 3] and norm.moving_variance.numpy().tolist() == [1] * 3


def test_a_layer_called_twice_gives_both_calls_the_same_weight():
    image, norm = keras.Input((8, 8, 3)), layers.BatchNormalization()
    model, batches = keras.Model(image, [norm(image), norm(image[:, ::2, ::2] * 2 + 1)]), Batches()
    estimate_statistics(model, batches, 0, 0, 50, "test")
    images = batches.arrays(0)[0].astype(np.float64)
    views = [*images, *(images[:, :, ::2, ::2] * 2 + 1)]
    means = np.array([view.mean((0, 1, 2)) for view in views])
    squares = np.array([(view**2).mean((0, 1, 2)) for view in views])
    np.testing.assert_allclose(norm.moving_mean.numpy(), means.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), squares.mean(0) - means.mean(0) ** 2, rtol=1e-4)


def test_without_batch_norm_no_batch_is_made():
    model, batches = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3)]), Batches()
    estimate_statistics(model, batches, 0, 0, 50, "test")
    assert batches.shown == []


def test_random_states_are_as_before_and_decide_nothing():
    image = keras.Input((8, 8, 3))
    dropout, norm = layers.Dropout(0.5), layers.BatchNormalization()
    model = keras.Model(image, norm(dropout(image)))
    found = []
    for state in (3, 4):
        dropout.seed_generator.state.assign([state, state])
        estimate_statistics(model, Batches(), 2, 1, 50, "test")
        assert dropout.seed_generator.state.numpy().tolist() == [state, state]
        found.append(norm.moving_variance.numpy())
    np.testing.assert_array_equal(*found)


def trained(folder, batches, most, epochs=2, network=None):
    """Train a network for a few steps, as the stages do."""
    model = network or two_norms()
    config = TrainingConfig(epochs=epochs, learning_rate=0.01, statistics_batches=most)
    folder.mkdir(exist_ok=True)
    recipe = types.SimpleNamespace(seed=3, jit=False)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fit(recipe, config, model, batches, [], folder, "training", loss)
    return model


def test_after_few_steps_inference_agrees_with_training_mode(tmp_path):
    """Six steps at a momentum of 0.99 leave 0.94 of where the averages started."""
    batches = Batches(size=16)
    gap = {}
    for most in (0, 50):
        model = trained(tmp_path / str(most), batches, most)
        images = batches.arrays(20)[0][0]
        inference = model(images, training=False).numpy()
        gap[most] = np.abs(model(images, training=True).numpy() - inference).mean() / inference.std()
    assert gap[50] < 0.2 * gap[0]


def test_training_comes_out_the_same_without_them_but_for_the_statistics(tmp_path):
    one, other = (trained(tmp_path / str(most), Batches(), most) for most in (0, 50))
    for a, b in zip(one.trainable_variables, other.trainable_variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(norms_of(one), norms_of(other)):
        assert not np.allclose(a.moving_mean.numpy(), b.moving_mean.numpy(), rtol=0.05)


class StoppingBatches(Batches):
    """Batches of a process that is killed while it measures the statistics."""

    def epoch(self, number):
        data = super().epoch(number)

        def batches():
            for batch in data:
                yield batch
                if number == 2:
                    raise KeyboardInterrupt

        return types.SimpleNamespace(take=lambda count: batches()) if number == 2 else data


def test_killed_in_the_middle_and_resumed_it_is_the_same(tmp_path):
    whole = trained(tmp_path / "whole", Batches(), 50)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", StoppingBatches(), 50)
    batches = Batches()
    keras.utils.set_random_seed(99)  # another process has other random states
    resumed = trained(tmp_path / "killed", batches, 50)
    assert batches.shown == [2]  # nothing is trained again
    for one, other in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_array_equal(one, other)


def batch_mode_statistics(network, images):
    """Return the mean over batches of the inputs' means of every batch norm layer, by outputs of the graph alone."""
    norms = norms_of(network)
    tapped = keras.Model(network.inputs, [layer.input for layer in norms])
    steps = [[value.numpy() for value in tapped(batch, training=True)] for batch in images]
    return [np.mean([step[place].mean((0, 1, 2)) for step in steps], 0) for place in range(len(norms))]


@pytest.mark.parametrize(
    ("name", "taught"),
    [("pspnet", False), ("fpn", True), pytest.param("pspnet", True, marks=pytest.mark.slow)],
)
def test_networks_that_are_trained_through_another_model(tmp_path, name, taught):
    """A second head beside the first, and a mean teacher, whose weights the segmenter takes over before."""
    model, _ = small(name)
    loss, network = losses.create("cross_entropy"), model.with_auxiliary()
    if network is not model:
        loss = losses.WithAuxiliary(loss, NUM_CLASSES)
    whole = network
    if taught:
        config = TeacherConfig(weight=1.0, confidence=0.1, warm_up=0)
        whole = MeanTeacher(model, network, config, 2, hold=False)
    config = TrainingConfig(epochs=1, learning_rate=0.01)
    recipe = Recipe(jit=False)
    fit(recipe, config, whole, SceneBatches(taught), [], tmp_path, "training", loss)
    if taught:
        learnt = {id(variable) for variable in model.trainable_variables}
        for own, mean in zip(model.weights, whole.teacher.weights):
            if id(own) in learnt:
                np.testing.assert_array_equal(own.numpy(), mean.numpy())
    found = [layer.moving_mean.numpy() for layer in norms_of(network)]
    images = [batch[0] for batch in SceneBatches(taught=False).epoch(0)]
    assert len(found) > 3
    for one, expected in zip(found, batch_mode_statistics(network, images)):
        np.testing.assert_allclose(one, expected, rtol=1e-3, atol=1e-3)
