"""Words of a trained captioner, and answers of a trained answerer, are found on the thing that they are about.

Each scene shows two things of different colours and shapes, so a map can lie on the wrong one. A map is right where its
peak is in the right thing; what chance gives is the thing's share of the image, 0.12.
"""

import numpy as np
import pytest
from examples import captioning, vqa
from examples.shapes import draw
from scipy.ndimage import binary_dilation

from wsseg import explainers
from wsseg.explainers.targets import CaptionToken

pytestmark = pytest.mark.slow  # a minute of training

METHODS = ("layer_cam", "hires_cam")
TEST = [draw([1, index]) for index in range(150)]


@pytest.fixture(scope="module")
def captioner():
    return captioning.trained([draw([0, index]) for index in range(2000)])


@pytest.fixture(scope="module")
def answerer(captioner):
    return vqa.trained([draw([0, index]) for index in range(2000)], captioner)


def shares(maps, things, scenes):
    """Return the shares of maps whose peak is in their thing, in the scene's other thing; and the things' area.

    A thing is widened by 2 pixels, half a cell of the maps.
    """
    right, other, area = [], [], []
    for map_, thing, scene in zip(maps, things, scenes, strict=True):
        mine, others = (
            binary_dilation(one.mask, iterations=2)
            for one in sorted(scene.things, key=lambda one: one is not thing)
        )
        peak = np.unravel_index(map_.argmax(), map_.shape)
        found = map_.max() > 0
        right.append(found and mine[peak])
        other.append(found and others[peak] and not mine[peak])
        area.append(mine.mean())
    return np.mean(right), np.mean(other), np.mean(area)


@pytest.mark.parametrize("method", METHODS)
def test_words_of_a_caption(captioner, method):
    inputs, words = captioning.batch(TEST)
    assert (captioner.predict(inputs, verbose=0).argmax(-1) == words).mean() > 0.94
    explainer = explainers.create(method, captioner)
    assert explainer.layer == "features"
    for step, thing in (
        (1, 0),
        (2, 0),
        (5, 1),
        (6, 1),
    ):  # colour and shape of the first thing, then of the second
        maps = explainer(inputs, CaptionToken(step, words[:, step]))
        right, other, area = shares(maps, [scene.things[thing] for scene in TEST], TEST)
        print(f"{method} word {step}: right {right:.3f} other {other:.3f} chance {area:.3f}")
        assert area < 0.13
        assert right > 0.6 and other < 0.3


@pytest.mark.parametrize("method", METHODS)
def test_answers_to_questions(answerer, method):
    inputs, answers, asked = vqa.ask(TEST, seed=1)
    said = answerer.predict(inputs, verbose=0).argmax(-1)
    accuracy = (said == answers).reshape(-1, 4).mean(axis=0)
    print("accuracy of the four kinds of questions", accuracy)
    maps = explainers.create(method, answerer)(inputs, answers)
    kinds = ("is there", "what colour", "what shape", "what is beside")
    for kind, (name, least) in enumerate(zip(kinds, (0.3, 0.65, 0.7, 0.2))):
        rows = [i for i in range(kind, len(asked), 4) if asked[i][3] is not None and said[i] == answers[i]]
        right, other, area = shares(maps[rows], [asked[i][3] for i in rows], [asked[i][0] for i in rows])
        print(f"{method} {name}: {len(rows)} right {right:.3f} other {other:.3f} chance {area:.3f}")
        assert accuracy[kind] > 0.7 and area < 0.13
        assert right > least and right > 1.3 * other
