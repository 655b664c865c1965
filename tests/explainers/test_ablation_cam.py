"""Ablation-CAM against loops in NumPy, and its relation to CAM."""

import numpy as np
import pytest
from examples.explained_models import two_input_classifier, two_inputs
from examples.networks import small_classifier
from references.perturbations import TwoInputForward, ablation_cam

from wsseg.explainers.ablation_cam import AblationCAM
from wsseg.explainers.cam import CAM


@pytest.fixture(scope="module")
def model():
    return two_input_classifier()


def twin(model, inputs, score):
    """Maps of a function (logits) -> score, `(B, h, w)`."""
    result = []
    for image, words in zip(*inputs):
        forward = TwoInputForward(model, words)
        result.append(ablation_cam(forward.features(image), lambda f: score(forward.head(f))))  # noqa: B023
    return np.stack(result)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def test_slopes_of_the_logits(model):
    inputs = two_inputs()
    expected = [twin(model, inputs, lambda logits: logits[c]) for c in range(3)]  # noqa: B023
    logits = [TwoInputForward(model, words).logits(image) for image, words in zip(*inputs)]
    assert np.min(logits) < 0 < np.max(logits) and np.max(expected) > 1e-2  # both signs are met
    found = AblationCAM(model).raw(inputs, [[0, 1, 2]] * 2)
    # The drop is divided by the score: where that is small, rounding is magnified with the map.
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-4 * np.max(expected))


def test_callable_on_the_models_output(model):
    inputs = two_inputs(seed=1)
    expected = twin(model, inputs, lambda logits: softmax(logits)[1] - softmax(logits)[0])
    assert expected.max() > 1e-2
    found = AblationCAM(model).raw(inputs, lambda output: output[:, 1] - output[:, 0])
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, expected.max()))


def test_on_a_gap_head_it_is_the_channels_mean_times_cam_weight():
    """Without channel k a linear head loses its weight times the channel's mean."""
    model, images = small_classifier((9, 11)), two_inputs()[0]
    model.get_layer("logits").bias.assign(np.zeros(3))
    features = np.stack([TwoInputFeatures.of(model, image) for image in images])
    kernel = model.get_layer("logits").kernel.numpy().astype(float)
    means = features.mean(axis=(1, 2))  # (B, C)
    drops = means[:, :, None] * kernel / np.abs(means @ kernel)[:, None]
    expected = np.maximum(np.einsum("bhwk,bkt->bthw", features, drops), 0)
    np.testing.assert_allclose(AblationCAM(model).raw(images, [[0, 1, 2]] * 2), expected, atol=1e-4)
    # Channels of the same mean would give CAM itself: so it is checked that they are not, nor are the maps.
    assert np.abs(CAM(model).raw(images, [0, 0]) - expected[:, 0]).max() > 1e-2


class TwoInputFeatures:
    """The features of `small_classifier`."""

    @staticmethod
    def of(model, image):
        from references.class_maps import convolution_relu

        return convolution_relu(image, *model.get_layer("features").get_weights(), 2)


def test_only_the_head_runs_for_each_channel_and_dead_ones_need_no_pass(model):
    explainer, counts = AblationCAM(model), []
    head, outputs = explainer.network.head, explainer.network.outputs
    explainer.network.head = lambda features, inputs: counts.append("head") or head(features, inputs)
    explainer.network.outputs = lambda inputs: counts.append("whole") or outputs(inputs)
    scores = explainer.scores
    explainer.scores = lambda *args, **options: counts.append(len(args[2][0])) or scores(*args, **options)
    explainer.raw(two_inputs(1), [0])
    assert counts == [6, "head"]  # five of six channels, and none ablated; traced once


def test_score_of_zero_is_not_divided_by(model):
    found = AblationCAM(model).raw(two_inputs(), lambda output: output[:, 0] * 0)
    assert not found.any()


def test_drops_of_rounding_alone_give_no_map(model):
    explainer = AblationCAM(model)
    noise = np.random.default_rng(0).uniform(-1e-6, 1e-6, (100, 1))
    explainer.scores = lambda inputs, score, rows, **options: 3 * (1 + noise[: len(rows[0])])
    assert not explainer.raw(two_inputs(1), [0]).any()
