import numpy as np
import pytest
from references import instance_scores as loops

from wsseg.errors import InputError
from wsseg.metrics import PanopticQuality, Segments

NAMES = ["sky", "cat", "dog"]


def row(*runs):
    """Return an image of one row: (segment, pixels) ..."""
    return np.concatenate([np.full(count, number) for number, count in runs])[None]


def score(*images, names=NAMES, things=("cat", "dog")):
    measure = PanopticQuality(names, things)
    for predicted, true in images:
        measure.update(predicted, true)
    return measure.result()


def test_two_of_three_by_hand():
    # cat 1 is found at IoU 8 / 10, cat 2 is missed (4 / 10), cat 3 is no cat: one hit, one false, two missed.
    true = Segments(row((1, 10), (2, 10), (3, 10), (0, 10)), {1: 1, 2: 1, 3: 1, 0: 0})
    predicted = Segments(row((5, 8), (9, 2), (6, 4), (9, 26)), {5: 1, 6: 1, 9: 0})
    result = score((predicted, true))
    cat, sky = result["by_class"]["cat"], result["by_class"]["sky"]
    assert (cat["tp"], cat["fp"], cat["fn"]) == (1, 1, 2)
    assert cat["sq"] == pytest.approx(0.8) and cat["rq"] == pytest.approx(1 / 2.5)
    assert cat["pq"] == pytest.approx(0.8 / 2.5) == pytest.approx(cat["sq"] * cat["rq"])
    assert (sky["tp"], sky["fp"], sky["fn"], sky["pq"]) == (0, 1, 1, 0)  # 10 / 28
    assert result["by_class"]["dog"]["pq"] is None
    assert result["all"]["pq"] == pytest.approx(0.16) and result["all"]["classes"] == 2
    assert result["things"]["pq"] == pytest.approx(0.32) and result["stuff"] == {
        "pq": 0,
        "sq": 0,
        "rq": 0,
        "classes": 1,
    }


def test_exactly_half_is_no_match():
    true = Segments(row((1, 10)), {1: 1})
    half, more = Segments(row((1, 5), (7, 5)), {1: 1}), Segments(row((1, 6), (7, 4)), {1: 1})
    assert score((half, true))["by_class"]["cat"] | {"pq": 0} == score((half, true))["by_class"]["cat"]
    assert score((more, true))["by_class"]["cat"]["pq"] == pytest.approx(0.6)


def test_void_leaves_the_union_and_excuses_what_is_mostly_in_it():
    true = Segments(row((1, 10), (255, 10)), {1: 1})
    # 10 of its 14 pixels are cat, the other 4 void: IoU 10 / 10.
    result = score((Segments(row((4, 14), (255, 6)), {4: 1}), true))
    assert result["by_class"]["cat"]["pq"] == 1
    # Of the dog's 8 pixels 5 are in void: not counted; 4 of 8 are not more than half.
    excused = Segments(row((255, 7), (4, 8), (255, 5)), {4: 2})
    counted = Segments(row((255, 6), (4, 8), (255, 6)), {4: 2})
    assert score((excused, true))["by_class"]["dog"]["fp"] == 0
    assert score((counted, true))["by_class"]["dog"]["fp"] == 1
    # Void of the prediction is no excuse: the cat is found by 6 of its 10 pixels.
    assert score((Segments(row((4, 6), (255, 14)), {4: 1}), true))["by_class"]["cat"]["sq"] == pytest.approx(
        0.6
    )


def test_a_crowd_is_matched_by_nothing_and_excuses_its_own_class():
    true = Segments(row((1, 10), (2, 10)), {1: 1, 2: 1}, crowd={2})
    both = Segments(row((1, 10), (2, 10)), {1: 1, 2: 1})
    other = Segments(row((1, 10), (2, 10)), {1: 1, 2: 2})
    assert score((both, true))["by_class"]["cat"] == {"pq": 1, "sq": 1, "rq": 1, "tp": 1, "fp": 0, "fn": 0}
    assert score((other, true))["by_class"]["dog"]["fp"] == 1
    nothing = Segments(row((0, 20)), {})
    assert score((nothing, true))["by_class"]["cat"]["fn"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_the_loops(seed):
    random = np.random.default_rng(seed)
    images = []
    for _ in range(6):
        true = np.kron(random.integers(0, 7, (3, 4)), np.ones((4, 4), int)) * 100
        predicted = np.roll(true, random.integers(0, 2, 2), (0, 1)) // 100 + 50
        predicted[random.random(true.shape) < 0.1] = 57
        true_classes = {int(n): int(random.integers(0, 4)) for n in np.unique(true)[1:]}  # 0 is void
        classes = {n // 100 + 50: c for n, c in true_classes.items() if random.random() < 0.8}
        classes |= {50: 1, 57: int(random.integers(0, 4))}
        crowd = {n for n in true_classes if random.random() < 0.2}
        images.append((Segments(predicted, classes), Segments(true, true_classes, crowd)))
    names = ["sky", "cat", "dog", "cow", "sea"]
    result = score(*images, names=names, things=["cat"])
    expected = loops.panoptic_quality(
        [(p.numbers.tolist(), p.classes, t.numbers.tolist(), t.classes, t.crowd) for p, t in images],
        5,
    )
    for name, (pq, tp, fp, fn) in zip(names, expected):
        found = result["by_class"][name]
        assert (found["tp"], found["fp"], found["fn"]) == (tp, fp, fn)
        assert found["pq"] == (None if pq is None else pytest.approx(pq))
    present = [pq for pq, *_ in expected if pq is not None]
    assert len(present) == 4 and sum(tp for _, tp, _, _ in expected) > 3
    assert result["all"]["pq"] == pytest.approx(np.mean(present)) and result["images"] == 6


def test_segments_of_a_class_map_and_an_instance_map():
    classes = np.array([[0, 1, 1, 1, 2, 255]])
    numbers = np.array([[3, 1, 1, 2, 1, 1]])
    parted = Segments.of_maps(classes, numbers, things=[1])
    assert len(np.unique(parted.numbers)) == 5 and sorted(parted.classes.values()) == [0, 1, 1, 2]
    assert parted.numbers[0, 1] == parted.numbers[0, 2] != parted.numbers[0, 3]
    assert score((parted, parted))["all"] == {"pq": 1, "sq": 1, "rq": 1, "classes": 3}
    nothing = Segments.of_maps(np.full((2, 2), 255), np.zeros((2, 2), int), things=[1])
    assert nothing.classes == {} and score((nothing, nothing))["all"]["pq"] is None


def test_wrong_input():
    one = Segments(row((1, 4)), {1: 1})
    with pytest.raises(InputError, match=r"\(1, 4\), the truth \(1, 5\)"):
        score((one, Segments(row((1, 5)), {1: 1})))
    with pytest.raises(InputError, match=r"segment 1 of the prediction has class 9; expected 0\.\.2"):
        score((Segments(row((1, 4)), {1: 9}), one))
    with pytest.raises(InputError, match="`crowd` names segment 3"):
        Segments(row((1, 4)), {1: 1}, crowd={3})
    with pytest.raises(InputError, match="integers"):
        Segments(np.zeros((2, 2)), {})
    with pytest.raises(InputError, match="`things` names `cow`"):
        PanopticQuality(NAMES, ["cow"])
    with pytest.raises(InputError, match="of one size"):
        Segments.of_maps(np.zeros((2, 2), int), np.zeros((2, 3), int), [1])
