"""Answers to a question are classes of a model of two inputs: the map depends on the question."""

import numpy as np
import pytest
from examples.colour_networks import half_answerer, painted

from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.hires_cam import HiResCAM


def test_the_map_lies_where_the_question_looks():
    left, right = (slice(1, 4), slice(0, 2)), (slice(5, 8), slice(6, 8))
    model = half_answerer()
    images, questions = np.concatenate([painted(red=[left, right])] * 2), np.array([[0], [1]])
    assert model([images, questions]).numpy().argmax(axis=1).tolist() == [0, 0]
    for given in ([images, questions], {"question": questions, "image": images}):
        maps = HiResCAM(model, layer="features")(given, [0, 0])
        for map_, place in zip(maps, (left, right)):
            assert map_[place].min() == pytest.approx(1) and map_[place].sum() == pytest.approx(
                map_.sum(), rel=1e-5
            )


def test_grad_cam_finds_the_answers_colour():
    green, blue = (slice(0, 3), slice(0, 3)), (slice(4, 8), slice(5, 8))
    given = [np.concatenate([painted(green=green, blue=blue)] * 2), np.array([[0], [1]])]
    model = half_answerer()
    assert model(given).numpy().argmax(axis=1).tolist() == [1, 2]
    for map_, place in zip(GradCAM(model, layer="features")(given, [1, 2]), (green, blue)):
        assert map_[place].min() == pytest.approx(1) and map_[place].sum() == pytest.approx(
            map_.sum(), rel=1e-4
        )
