import keras
import numpy as np
import pytest
from keras import layers

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.faithfulness import ParameterRandomisation
from wsseg.faithfulness.baselines import BASELINES
from wsseg.faithfulness.parameter_randomisation import similarities
from wsseg.faithfulness.random_weights import layers_from_the_top, randomised


@pytest.fixture(scope="module")
def model():
    """Two nested convolutions with batch norm, and a linear head."""
    keras.utils.set_random_seed(0)
    image = keras.Input((24, 24, 3))
    tensor = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(
        layers.Rescaling(1 / 255)(image)
    )
    inner = keras.Model(image, tensor, name="inner")
    image = keras.Input((24, 24, 3))
    tensor = layers.BatchNormalization(name="norm")(inner(image))
    tensor = layers.Conv2D(8, 3, padding="same", activation="relu", name="second")(tensor)
    tensor = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(tensor))
    return keras.Model(image, layers.Dense(3, name="head")(tensor), name="small")


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(0)
    # Blobs, so that there is something to see.
    images = [
        np.kron(random.uniform(0, 255, (6, 6, 3)), np.ones((4, 4, 1))).astype(np.float32) for _ in range(3)
    ]
    return [(image, np.array([0, 2])) for image in images]


def grad_cam(model):
    return explainers.create("grad_cam", model=model)


def test_layers_from_the_output_down(model):
    assert [layer.name for layer in layers_from_the_top(model)] == ["head", "second", "norm", "first"]


def test_weights_are_drawn_anew_and_put_back_bit_by_bit(model):
    before = [np.array(weight) for weight in model.weights]
    top = layers_from_the_top(model)[:2]
    with randomised(top, seed=1):
        inside = [np.array(weight) for weight in model.weights]
    with randomised(top, seed=1):
        again = [np.array(weight) for weight in model.weights]
    with randomised(top, seed=2):
        other = [np.array(weight) for weight in model.weights]
    names = [weight.path for weight in model.weights]
    changed = {name for name, a, b in zip(names, before, inside) if not np.array_equal(a, b)}
    assert changed == {"head/kernel", "second/kernel"}  # biases start and stay at 0
    assert all(np.array_equal(a, b) for a, b in zip(inside, again))
    assert any(not np.array_equal(a, b) for a, b in zip(inside, other))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_the_model_is_put_back_when_something_fails(model, samples):
    before = model.get_weights()
    calls = []

    def make(given):
        calls.append(given)
        if len(calls) > 1:
            assert not np.array_equal(given.get_weights()[-2], before[-2])
            raise RuntimeError("stopped")
        return BASELINES["edges"]

    with pytest.raises(RuntimeError, match="stopped"):
        ParameterRandomisation(model, make)(lambda: iter(samples))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@pytest.mark.slow
def test_what_ignores_the_model_stays_and_grad_cam_does_not(model, samples):
    results = {}
    for name, make in (("edges", lambda _: BASELINES["edges"]), ("grad_cam", grad_cam)):
        results[name] = ParameterRandomisation(model, make, stages=3)(lambda: iter(samples))
    assert results["edges"]["rank_correlation"] == pytest.approx([1, 1, 1])
    assert results["edges"]["ssim"] == pytest.approx([1, 1, 1])
    assert results["grad_cam"]["final_rank_correlation"] < 0.6 and results["grad_cam"]["final_ssim"] < 0.6
    assert results["grad_cam"]["random_layers"] == [1, 2, 4]
    assert results["grad_cam"]["layers"] == ["head", "second", "first"] and results["grad_cam"]["maps"] == 6


def test_stages_compare_with_the_intact_model(model, samples):
    """A stage is what comparing by hand gives."""
    result = ParameterRandomisation(model, grad_cam, stages=1, seed=5)(lambda: iter(samples))
    intact = [grad_cam(model)(image[None], targets[None])[0] for image, targets in samples]
    with randomised(layers_from_the_top(model), seed=5):
        method = grad_cam(model)
        found = [method(image[None], targets[None])[0] for image, targets in samples]
    pairs = [similarities(a, b) for one, two in zip(intact, found) for a, b in zip(one, two)]
    assert [result["final_rank_correlation"], result["final_ssim"]] == pytest.approx(
        np.mean(pairs, axis=0), abs=1e-5
    )
    assert result["random_layers"] == [4]


def test_a_kernel_without_a_random_initializer_is_drawn_all_the_same():
    layer = layers.DepthwiseConv2D(3, depthwise_initializer="ones")
    layer.build((None, 8, 8, 64))
    kernel = np.random.default_rng(7).normal(2, 3, layer.kernel.shape).astype(np.float32)
    layer.kernel.assign(kernel)
    with randomised([layer]):
        drawn = np.array(layer.kernel)
    assert abs(np.corrcoef(drawn.ravel(), kernel.ravel())[0, 1]) < 0.2
    # 576 numbers: the mean of their draw has a standard deviation of 3 / 24.
    assert drawn.mean() == pytest.approx(kernel.mean(), abs=0.5) and drawn.std() == pytest.approx(3, rel=0.15)
    np.testing.assert_array_equal(layer.kernel, kernel)


def test_counters_and_generators_are_left_alone():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.RandomFlip(), layers.Dropout(0.5)])
    with pytest.raises(InputError, match="no weights to randomise"):
        ParameterRandomisation(model, grad_cam)


def test_wrong_input(model, samples):
    with pytest.raises(InputError, match="`stages` must be a whole number from 1; got 0"):
        ParameterRandomisation(model, grad_cam, stages=0)
    with pytest.raises(InputError, match=r"the explainer gives \(24, 24\); expected \(2, 24, 24\)"):
        ParameterRandomisation(model, lambda _: lambda image, _t: np.zeros(image.shape[:3]))(
            lambda: iter(samples)
        )
    empty = ParameterRandomisation(model, grad_cam, stages=1)(lambda: iter(()))
    assert empty["final_rank_correlation"] is None and empty["maps"] == 0


def test_baselines():
    images = np.zeros((2, 8, 12, 3))
    images[:, :, 6:] = 200
    for name, function in BASELINES.items():
        one, several = function(images, np.array([0, 1])), function(images, np.array([[0, 1, 2]] * 2))
        assert one.shape == (2, 8, 12) and several.shape == (2, 3, 8, 12), name
        assert one.dtype == np.float32 and one.min() >= 0 and one.max() <= 1
        np.testing.assert_array_equal(several[:, 2], one)
    edges = BASELINES["edges"](images, np.array([0, 1]))[0]
    assert (edges[:, 5:7] == 1).all() and not edges[:, :5].any()
    centre = BASELINES["centre"](images, np.array([0, 1]))[0]
    assert centre[3:5, 5:7].min() == 1 and centre[0, 0] < 0.1
