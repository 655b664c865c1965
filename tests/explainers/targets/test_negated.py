"""The negative of a score."""

import numpy as np
from examples.networks import small_classifier

from wsseg.explainers.counterfactual import CounterfactualGradCAM
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.hires_cam import HiResCAM
from wsseg.explainers.targets import ClassScores, Negated

IMAGES = np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


def test_with_grad_cam_it_is_the_counterfactual():
    model = small_classifier((9, 11), head="tanh")
    expected = CounterfactualGradCAM(model).raw(IMAGES, [[0, 1, -1], [2, 1, 0]])
    found = GradCAM(model).raw(IMAGES, Negated(ClassScores([[0, 1, -1], [2, 1, 0]])))
    assert expected.max() > 1e-3 and not found[0, 2].any()
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_of_a_function_and_twice():
    explainer = HiResCAM(small_classifier())

    def second(logits):
        return logits[:, 1]

    plain = explainer.raw(IMAGES, second)
    assert np.abs(plain).max() > 1e-2
    np.testing.assert_allclose(explainer.raw(IMAGES, Negated(second)), -plain, atol=1e-6)
    np.testing.assert_allclose(explainer.raw(IMAGES, Negated(Negated(second))), plain, atol=1e-6)
    assert len(explainer._functions) == 3  # they don't pass for each other
