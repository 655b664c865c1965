"""What is found of functions in NumPy, which are known."""

import numpy as np
import pytest

from wsseg.explainers.measured_activation import measure, measure_average, measure_axis


def softmax(z, axis=-1):
    powers = np.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


ORDER = [2, 0, 1]
FUNCTIONS = {  # function, number of logits and outputs, kind, order, factors, whether probabilities
    "softmax": (softmax, 3, 3, "softmax", [0, 1, 2], 1, True),
    "other order": (lambda z: softmax(z)[:, ORDER], 3, 3, "softmax", ORDER, 1, True),
    "temperature": (lambda z: softmax(z / 1.7), 3, 3, "softmax", [0, 1, 2], 1 / 1.7, True),
    "per cent": (lambda z: 100 * softmax(z), 3, 3, "softmax", [0, 1, 2], 1, False),
    "one of three": (lambda z: softmax(z)[:, 1:2], 3, 1, "softmax", [1], 1, True),
    "log": (lambda z: np.log(softmax(z)), 3, 3, "log_softmax", [0, 1, 2], 1, False),
    "two groups": (
        lambda z: np.concatenate([softmax(z[:, 2:]), softmax(z[:, :2])], 1), 4, 4, "softmax", [2, 3, 0, 1], 1, True,
    ),
    "sigmoid": (sigmoid, 3, 3, "sigmoid", [0, 1, 2], 1, True),
    "steep": (lambda z: sigmoid(3 * z[:, ORDER]), 3, 3, "sigmoid", ORDER, 3, True),
    "falling": (lambda z: 1 - sigmoid(z), 2, 2, "sigmoid", [0, 1], -1, True),
    "repeated": (lambda z: sigmoid(np.repeat(z, 2, 1)), 2, 4, "sigmoid", [0, 0, 1, 1], 1, True),
    "clipped": (lambda z: np.clip(z / 6 + 0.5, 0, 1), 2, 2, "bounded", [0, 1], 1, True),
    "tanh": (np.tanh, 2, 2, "bounded", [0, 1], 1, False),
    "relu6": (lambda z: np.clip(z, 0, 6), 2, 2, "bounded", [0, 1], 1, False),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_known_functions(name):
    function, count, size, kind, index, scale, probabilities = FUNCTIONS[name]
    found = measure(function, count, size)
    assert found.kind == kind and found.index.tolist() == index and found.probabilities == probabilities
    np.testing.assert_allclose(found.scale, scale, rtol=1e-3)
    np.testing.assert_allclose(found.offset, 0, atol=1e-6)


def test_offset_of_a_sigmoid():
    found = measure(lambda z: sigmoid(z[:, ::-1] - 0.75), 2, 2)
    assert found.kind == "sigmoid" and not found.plain
    np.testing.assert_allclose(found.offset, -0.75, atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z,
        lambda z: np.maximum(z, 0),
        lambda z: z**2,
        lambda z: np.abs(z) / (1 + np.abs(z)),  # not monotonic
        lambda z: softmax(z) ** 2,
        lambda z: softmax(z) * sigmoid(z),
        lambda z: np.maximum(z - z.mean(axis=1, keepdims=True), 0),
        lambda z: z / np.linalg.norm(z, axis=1, keepdims=True),
        lambda z: np.full_like(z, 0.3),
        lambda z: np.full_like(z, np.nan),
        lambda z: (z == z.max(axis=1, keepdims=True)).astype(float),
    ],
)
def test_functions_that_are_no_such_activation(function):
    assert measure(function, 3, 3) is None


def test_averages():
    kind, weights = measure_average(
        lambda z: 0.2 * softmax(z[:, :3]) + 0.3 * softmax(z[:, 3:6]) + 0.5 * softmax(z[:, 6:]), 3, 3
    )
    assert kind == "softmax"
    np.testing.assert_allclose(weights, [0.2, 0.3, 0.5], atol=1e-3)
    for wrong in (
        lambda z: softmax(z[:, :3]) * softmax(z[:, 3:]),
        lambda z: softmax(z[:, :3]) - softmax(z[:, 3:]),
    ):
        assert measure_average(wrong, 2, 3) is None


def test_axes():
    assert measure_axis(lambda z: softmax(z, 1), (3, 4, 5)) == ("softmax", True)
    assert measure_axis(lambda z: np.log(softmax(z, 3)), (3, 4, 5)) == ("log_softmax", False)
    assert measure_axis(sigmoid, (3, 4, 5)) == ("sigmoid", True)
    assert measure_axis(np.tanh, (4, 4, 5)) == ("bounded", False)
    assert measure_axis(lambda z: z, (4, 4, 5)) is None
    assert measure_axis(lambda z: softmax(z, 1) * 0.5, (3, 4, 5)) is None
