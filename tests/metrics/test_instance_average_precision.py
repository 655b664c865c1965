import numpy as np
import pytest
from references.instance_scores import box_area, coco_rows

from wsseg.errors import InputError
from wsseg.metrics import InstanceAveragePrecision
from wsseg.metrics.instance_average_precision import ROWS
from wsseg.objects.instances import Instances, boxes_of_masks

SIZE_HW = (130, 140)


def rectangle(random, size_hw=SIZE_HW):
    """Return a ragged rectangle: small, medium or large, some so only by their box and not by their mask."""
    low, high = [(5, 35), (30, 90), (96, 112)][random.integers(3)]
    sides = random.integers(low, high, 2)
    top, left = (random.integers(0, size - side + 1) for side, size in zip(sides, size_hw))
    mask = np.zeros(size_hw, bool)
    mask[top : top + sides[0], left : left + sides[1]] = random.random(sides) < 0.9
    return mask


def drawn_image(random, classes=3):
    """Return (predicted, true): objects, some of them crowds, and detections that are true ones moved a little."""
    true = [rectangle(random) for _ in range(random.integers(0, 6))]
    ids = random.integers(1, classes + 1, len(true))
    crowd = random.random(len(true)) < 0.2
    found, found_ids = [], []
    for mask, class_id in zip(true, ids):
        for _ in range(random.integers(0, 5)):
            shift = random.integers(-3, 4, 2)
            found.append(np.roll(mask, shift, (0, 1)) & (random.random(SIZE_HW) < 0.97))
            found_ids.append(class_id if random.random() < 0.9 else random.integers(1, classes + 1))
    for _ in range(random.integers(0, 4)):
        found.append(rectangle(random))
        found_ids.append(random.integers(1, classes + 1))
    scores = np.round(random.random(len(found)), 1)  # with ties
    order = random.permutation(len(found))
    found = Instances.of_masks(np.array(found, bool).reshape(-1, *SIZE_HW), found_ids, scores).where(order)
    return found, Instances.of_masks(
        np.array(true, bool).reshape(-1, *SIZE_HW), ids, crowd=crowd if len(true) else None
    )


def as_loops(predicted, true):
    """Return both as the twin takes them."""

    def rows(instances):
        for i in range(len(instances)):
            yield {
                "class_id": int(instances.class_ids[i]),
                "box": instances.boxes_xyxy[i].astype(float).tolist(),
                "mask": None if instances.masks is None else instances.masks[i],
                "crowd": bool(instances.crowd[i]),
            }

    def area(row):
        return box_area(row["box"]) if row["mask"] is None else int(row["mask"].sum())

    found = [row | {"score": float(s)} for row, s in zip(rows(predicted), predicted.scores)]
    return found, [row | {"area": area(row)} for row in rows(true)]


def score(images, names=("cat", "dog", "cow"), kind="masks"):
    measure = InstanceAveragePrecision(names, kind)
    for number, (predicted, true) in enumerate(images):
        measure.update(f"image {number}", predicted, true)
    return measure.result()


def assert_equal_to_the_loops(images, names, kind):
    rows, by_class = coco_rows([as_loops(*image) for image in images], len(names), kind)
    result = score(images, names, kind)
    assert list(rows) == list(ROWS)
    for name in ROWS:
        assert result[name] == pytest.approx(rows[name], abs=1e-9), name
    for name, (ap, ap50) in zip(names, by_class):
        assert result["by_class"][name]["ap"] == pytest.approx(ap, abs=1e-9)
        assert result["by_class"][name]["ap50"] == pytest.approx(ap50, abs=1e-9)
    return result


@pytest.mark.parametrize("kind", ["masks", "boxes"])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_loops(seed, kind):
    random = np.random.default_rng(seed)
    images = [drawn_image(random) for _ in range(12)]
    result = assert_equal_to_the_loops(images, ("cat", "dog", "cow"), kind)
    assert all(0 < result[name] < 1 for name in ROWS) and result["crowds"] and result["ar1"] < result["ar10"]


def test_no_more_than_a_hundred_detections_an_image_count():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 80, (120, 2))
    found = Instances(np.ones(120), np.hstack([corners, corners + 20]), (100, 100), scores=random.random(120))
    weakest = np.argsort(found.scores)[:30]
    true = Instances(np.ones(30), found.boxes_xyxy[weakest] + 1, (100, 100))
    result = assert_equal_to_the_loops([(found, true)], ("cat",), "boxes")
    assert 0 < result["ar100"] < 1 and result["ar10"] < result["ar100"]


def box(*rows, scores=None, ids=None, crowd=None, size_hw=(100, 100)):
    return Instances(np.ones(len(rows)) if ids is None else ids, rows, size_hw, None, scores, crowd)


def test_half_of_two_objects_by_hand():
    # One of two objects found exactly: precision 1 up to recall 0.5, at 51 of 101 recalls.
    true = box([0, 0, 10, 10], [50, 50, 60, 60])
    result = score([(box([0, 0, 10, 10], scores=[0.9]), true)], ("cat",), "boxes")
    assert result["ap"] == result["ap50"] == pytest.approx(51 / 101) and result["ar100"] == 0.5
    # A surer false alarm halves the precision; a less sure one changes nothing but with the second object found.
    twice = box([0, 0, 10, 10], [30, 30, 40, 40], scores=[0.9, 0.95])
    assert score([(twice, true)], ("cat",), "boxes")["ap"] == pytest.approx(51 / 101 / 2)
    # IoU 10 * 7.5 / 100 = 0.75: found at six of the ten thresholds.
    near = box([0, 0, 10, 7.5], scores=[0.9])
    result = score([(near, box([0, 0, 10, 10]))], ("cat",), "boxes")
    assert (result["ap"], result["ap75"]) == (pytest.approx(0.6), 1)


def test_the_first_object_of_the_first_image_can_be_found():
    """COCO's code takes a match with annotation 0 for no match."""
    one = box([0, 0, 10, 10], scores=[0.5])
    assert score([(one, box([0, 0, 10, 10]))], ("cat",), "boxes")["ap"] == 1


def test_a_crowd_is_neither_rewarded_nor_punished():
    true = box([0, 0, 10, 10], [20, 20, 80, 80], crowd=[False, True])
    alone = box([0, 0, 10, 10], scores=[0.5])
    in_it = box([25, 25, 40, 40], [30, 50, 60, 70], [0, 0, 10, 10], scores=[0.9, 0.8, 0.5])
    beside = box([0, 50, 10, 60], [0, 0, 10, 10], scores=[0.9, 0.5])
    assert score([(alone, true)], ("cat",), "boxes")["ap"] == 1
    result = score([(in_it, true)], ("cat",), "boxes")
    assert result["ap"] == 1 and (result["objects"], result["crowds"], result["detections"]) == (1, 1, 3)
    assert score([(beside, true)], ("cat",), "boxes")["ap"] == pytest.approx(0.5)


def test_stated_areas_decide_the_size():
    image = (box([0, 0, 10, 10], scores=[0.9]), box([0, 0, 10, 10]))
    measure = InstanceAveragePrecision(["cat"], "boxes")
    measure.update("a", *image, true_areas=np.array([5000.0]))
    result = measure.result()
    assert result["ap_medium"] == 1 and result["ap_small"] is None
    assert score([image], ("cat",), "boxes")["ap_small"] == 1
    with pytest.raises(InputError, match="`true_areas` must be"):
        measure.update("b", *image, true_areas=np.ones(2))


def test_no_detection_is_zero_and_no_truth_is_no_score():
    none, one = box(scores=[]), box([0, 0, 10, 10])
    result = score([(none, one), (none, box())], ("cat", "dog"), "boxes")
    assert result["ap"] == result["ar100"] == 0 and result["images"] == 2
    assert result["by_class"]["dog"] == {"ap": None, "ap50": None, "objects": 0}
    result = score([(box([0, 0, 10, 10], scores=[0.9]), box())], ("cat", "dog"), "boxes")
    assert [result[name] for name in ROWS] == [None] * 12 and result["detections"] == 1
    assert [score([], ("cat",))[name] for name in ROWS] == [None] * 12


def test_detections_of_a_class_that_is_never_true_change_nothing_and_of_a_true_one_do():
    true = box([0, 0, 10, 10])
    found = box([0, 0, 10, 10], [50, 50, 60, 60], scores=[0.5, 0.9], ids=[1, 2])
    assert score([(found, true)], ("cat", "dog"), "boxes")["ap"] == 1
    empty = box([50, 50, 60, 60], scores=[0.9])  # on an image without an object
    images = [(box([0, 0, 10, 10], scores=[0.5]), true), (empty, box())]
    assert score(images, ("cat",), "boxes")["ap"] == pytest.approx(0.5)


def test_precision_over_recall():
    measure = InstanceAveragePrecision(["cat", "dog"], "boxes")
    measure.update("a", box([0, 0, 10, 10], scores=[0.9]), box([0, 0, 10, 10], [50, 50, 60, 60]))
    curves = measure.precision_at_recalls()
    assert curves["dog"] is None and curves["cat"].tolist() == pytest.approx([1] * 51 + [0] * 50)
    measure.update("b", box([0, 0, 10, 10], scores=[0.9]), box([0, 0, 10, 10]))  # the answer is not kept
    assert measure.precision_at_recalls()["cat"].tolist() == pytest.approx([1] * 67 + [0] * 34)


def test_nothing_is_printed(capsys):
    score([(box([0, 0, 10, 10], scores=[0.9]), box([0, 0, 10, 10]))], ("cat",), "boxes")
    assert capsys.readouterr().out == ""


def test_masks_decide_in_mask_rows():
    mask = np.zeros((1, 40, 40), bool)
    mask[0, 5:35, 5:35] = True
    hollow = mask.copy()
    hollow[0, 7:33, 7:33] = False
    found = Instances.of_masks(hollow, [1], np.array([0.9]))
    np.testing.assert_array_equal(boxes_of_masks(hollow), boxes_of_masks(mask))
    image = [(found, Instances.of_masks(mask, [1]))]
    assert score(image, ("cat",), "boxes")["ap"] == 1 and score(image, ("cat",), "masks")["ap"] == 0


@pytest.mark.parametrize(
    ("predicted", "true", "message"),
    [
        (box([0, 0, 1, 1]), box(), "needs a finite score"),
        (box([0, 0, 1, 1], scores=[np.nan]), box(), "needs a finite score"),
        (box([0, 0, 1, 1], scores=[1], ids=[3]), box(), r"class id 3; expected 1\.\.2"),
        (box(scores=[]), box([0, 0, 1, 1], ids=[0]), "the true objects have class id 0"),
        (box(scores=[], size_hw=(2, 2)), box(), r"\(2, 2\), the truth \(100, 100\)"),
    ],
)
def test_wrong_objects(predicted, true, message):
    measure = InstanceAveragePrecision(["cat", "dog"], "boxes")
    with pytest.raises(InputError, match=f"image `a`.*{message}"):
        measure.update("a", predicted, true)
    measure.update("a", box(scores=[]), box())  # it was not added
    with pytest.raises(InputError, match="added before"):
        measure.update("a", box(scores=[]), box())


def test_wrong_options():
    with pytest.raises(InputError, match="did you mean `boxes`"):
        InstanceAveragePrecision(["cat"], "boxs")
    with pytest.raises(InputError, match="list of names"):
        InstanceAveragePrecision("cat")
    with pytest.raises(InputError, match="have no masks; try `kind` boxes"):
        score([(box([0, 0, 1, 1], scores=[1]), box())], ("cat",), "masks")
