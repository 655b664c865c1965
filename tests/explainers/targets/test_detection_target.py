"""One detection: the scores in NumPy, and maps that lie on the detection asked for."""

import keras
import numpy as np
import pytest
from examples.colour_networks import cell_boxes, cell_detector, painted
from references.class_maps import numeric_gradient
from references.target_scores import best_fitting, detection_similarity

from wsseg.errors import InputError
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.hires_cam import HiResCAM
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets import Detection

RNG = np.random.default_rng(0)
CORNERS = RNG.uniform(0, 20, (2, 6, 2))
BOXES = np.concatenate([CORNERS, CORNERS + RNG.uniform(4, 12, (2, 6, 2))], axis=2).astype("float32")
LOGITS = RNG.normal(size=(2, 6, 3)).astype("float32")
PROBABILITIES = 1 / (1 + np.exp(-LOGITS))
OUTPUTS = Outputs(
    {"boxes": BOXES, "scores": PROBABILITIES}, {"boxes": BOXES, "scores": LOGITS}, ("boxes", "scores")
)


def score(target, own=False, outputs=OUTPUTS):
    return keras.ops.convert_to_numpy(target.evaluate(outputs, target.arrays, own, None))


@pytest.mark.parametrize("box", [(3, 4, 14, 12), (10, 10, 30, 30), [(3, 4, 14, 12), (15, 2, 24, 13)]])
@pytest.mark.parametrize("classes", [0, [2, 1]])
def test_equals_the_loops(box, classes):
    target = Detection(box, classes)
    boxes, ids = np.broadcast_to(np.atleast_2d(box), (2, 4)), np.broadcast_to(classes, 2)
    best = [best_fitting(boxes[i], BOXES[i]) for i in range(2)]
    assert all(fit > 0 for _, fit in best)
    expected = [[LOGITS[i, best[i][0], ids[i]]] for i in range(2)]
    np.testing.assert_allclose(score(target), expected, atol=1e-5)
    similar = [[detection_similarity(boxes[i], ids[i], BOXES[i], PROBABILITIES[i])] for i in range(2)]
    np.testing.assert_allclose(score(target, own=True), similar, atol=1e-5)
    np.testing.assert_allclose(score(Detection(box, classes, logits=False)), similar, atol=1e-5)


def test_nothing_overlaps():
    assert score(Detection((40, 40, 50, 50), 0)).tolist() == [[0], [0]]
    assert score(Detection((40, 40, 50, 50), 0), own=True).tolist() == [[0], [0]]


@pytest.mark.parametrize("logits", [True, False])
def test_gradient_equals_finite_differences(logits):
    import tensorflow as tf

    target = Detection((3, 4, 14, 12), 1, logits=logits)
    scores = tf.constant(LOGITS if logits else PROBABILITIES)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        both = {"boxes": BOXES, "scores": scores}
        found = target.evaluate(Outputs(both, both, OUTPUTS.names), target.arrays, False, None)
    gradient = tape.gradient(found, scores).numpy()

    def of(values, i):
        if logits:
            return float(values[best_fitting((3, 4, 14, 12), BOXES[i])[0], 1])
        return detection_similarity((3, 4, 14, 12), 1, BOXES[i], values)

    expected = [numeric_gradient(lambda x, i=i: of(x, i), scores.numpy()[i]) for i in range(2)]
    assert np.count_nonzero(gradient) == 2
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.fixture(scope="module")
def explainer():
    return HiResCAM(cell_detector(), layer="features")


def test_of_two_alike_the_one_in_the_box_is_shown_without_a_new_trace(explainer):
    first, second = (slice(0, 2), slice(2, 4)), (slice(4, 6), slice(6, 8))
    image = painted(red=[first, second])
    for place, box in ((first, (1.8, 0.1, 4.1, 2.2)), (second, cell_boxes()[11])):
        map_ = explainer(image, Detection(box, 0))[0]
        assert map_[place].min() == pytest.approx(1) and map_[place].sum() == pytest.approx(
            map_.sum(), rel=1e-5
        )
        probability = explainer.network.model(image)["scores"].numpy()[0].max(axis=1)
        assert probability[[1, 11]].min() > 0.9 and np.delete(probability, [1, 11]).max() < 0.1
    (function,) = explainer._functions.values()
    assert function.experimental_get_tracing_count() == 1


def test_grad_cam_shows_the_class():
    red, blue = (slice(0, 2), slice(0, 2)), (slice(4, 6), slice(4, 6))
    map_ = GradCAM(cell_detector(), layer="features")(
        painted(red=red, blue=blue), Detection((4, 4, 6, 6), 2)
    )[0]
    assert map_[blue].min() == pytest.approx(1) and map_[blue].sum() == pytest.approx(map_.sum(), rel=1e-4)


def test_outputs_by_other_names_and_of_positions():
    model = cell_detector()
    boxes, scores = model.output["boxes"], model.output["scores"]
    expected = HiResCAM(model, layer="features")(painted(green=(0, 0)), Detection((0, 0, 2, 2), 1))
    assert expected.max() == 1
    named = keras.Model(model.input, {"places": boxes, "classes": scores})
    found = HiResCAM(named, layer="features")(
        painted(green=(0, 0)), Detection((0, 0, 2, 2), 1, "places", "classes")
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    found = HiResCAM(keras.Model(model.input, [scores, boxes]), layer="features")(
        painted(green=(0, 0)), Detection((0, 0, 2, 2), 1, 1, 0)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            lambda: Detection((0, 0, 2, 2), 3),
            "`class_id` must be from 0 to 2, since the output has 3 classes; got 3",
        ),
        (
            lambda: Detection((4, 4, 2, 2), 0),
            r"left < right .*number 0 is \[4.0, 4.0, 2.0, 2.0\]; for left, top, width",
        ),
        (lambda: Detection((0, 0, 2), 0), r"`box_xyxy` must be \(4,\) or \(B, 4\).*got \(1, 3\)"),
        (lambda: Detection((0, 0, 2, 2), 0, scores="score"), "no output `score`; did you mean `scores`"),
        (
            lambda: Detection((0, 0, 2, 2), 0, "scores", "boxes"),
            r"needs the outputs `scores` \(batch, N, 4\)",
        ),
    ],
)
def test_wrong_boxes_and_outputs(explainer, target, message):
    with pytest.raises(InputError, match=message):
        HiResCAM(explainer.network.model, layer="features").raw(painted(), target())
