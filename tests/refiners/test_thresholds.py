import numpy as np
import pytest

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.metrics import ConfusionMatrix
from wsseg.refiners import LevelSweep, label_image, otsu_level, sweep

LEVELS = (0.5, 0.05, 0.2, 0.35, 0.8)


def images(seed, count=6, classes=4):
    """Random coarse maps of a few classes, and masks with 255 in them; the last image has no class."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        present = 0 if index == count - 1 else rng.integers(1, classes)
        ids = rng.choice(np.arange(1, classes), present, replace=False)
        # Values on the levels themselves are as likely as any.
        maps = rng.integers(0, 21, (present, 4, 5)) / 20
        size_hw = (11 + index, 17)
        yield (
            ClassMaps(ids, maps.astype(np.float32), size_hw),
            rng.choice([0, 1, 2, 3, 255], size_hw).astype(np.uint8),
        )


@pytest.mark.parametrize("seed", range(3))
def test_equals_labelling_every_image_at_every_level(seed):
    result = LevelSweep(LEVELS, num_classes=4)
    for maps, truth in images(seed):
        result.update(maps, truth)
    assert result.levels == tuple(sorted(LEVELS))
    for level, matrix in zip(result.levels, result.matrices()):
        expected = ConfusionMatrix(4)
        for maps, truth in images(seed):
            expected.update(label_image(None, maps, level=level), truth)
        np.testing.assert_array_equal(matrix.matrix, expected.matrix)
    expected = [(level, matrix.miou()) for level, matrix in zip(result.levels, result.matrices())]
    assert result.curve() == expected
    maps, truths = zip(*images(seed))
    assert sweep(maps, truths, LEVELS, num_classes=4) == expected
    assert result.best() == max(expected, key=lambda point: point[1])


def test_hand_worked_curve():
    # Highest map 0.1 0.3 0.9; truth 0 1 1. Level 0.05: all foreground: IoU 0 and 2/3; 0.2: perfect;
    # 0.5: one object pixel missed: 1/2 and 1/2.
    maps = ClassMaps(np.array([1]), np.array([[[0.1, 0.3, 0.9]]]), (1, 3))
    curve = sweep([maps], [np.array([[0, 1, 1]])], [0.05, 0.2, 0.5], num_classes=2)
    assert curve == [(0.05, pytest.approx(1 / 3)), (0.2, 1.0), (0.5, 0.5)]


def test_parts_merge():
    whole, left, right = (LevelSweep(LEVELS, 4) for _ in range(3))
    for index, (maps, truth) in enumerate(images(0)):
        whole.update(maps, truth)
        (left if index % 2 else right).update(maps, truth)
    assert left.merge(right).curve() == whole.curve()
    with pytest.raises(InputError, match="cannot be merged"):
        left.merge(LevelSweep([0.1], 4))


def test_wrong_sweeps():
    maps = ClassMaps(np.array([1]), np.zeros((1, 1, 1)), (2, 2))
    for levels in ([], [0.1, 0.1], [-0.1], [1.2], [np.nan]):
        with pytest.raises(InputError, match="`levels`"):
            LevelSweep(levels, 2)
    with pytest.raises(InputError, match="belong together"):
        sweep([maps], [np.zeros((3, 2), int)], [0.1], 2)
    with pytest.raises(InputError, match="the mask must hold ids in"):
        sweep([maps], [np.full((2, 2), 2)], [0.1], 2)
    with pytest.raises(InputError, match="the class maps must hold ids in"):
        sweep([ClassMaps(np.array([5]), maps.maps, (2, 2))], [np.zeros((2, 2), int)], [0.1], 2)
    with pytest.raises(InputError, match="as many class maps as masks"):
        sweep([maps], [], [0.1], 2)
    with pytest.raises(InputError, match="no pixel was scored"):
        LevelSweep([0.1], 2).best()


def otsu_by_trying_every_cut(values):
    """The cut between sorted values with the largest variance between the two groups."""
    values = np.sort(values)
    best, level = -1.0, None
    for i in range(1, len(values)):
        low, high = values[:i], values[i:]
        between = len(low) * len(high) * (low.mean() - high.mean()) ** 2
        if between > best:
            best, level = between, low[-1]
    return level


@pytest.mark.parametrize("seed", range(3))
def test_otsu_equals_trying_every_cut(seed):
    rng = np.random.default_rng(seed)
    background = rng.normal(0.2, 0.06, (4, 30, 20))
    background[:, 10:20] = rng.normal(0.75, 0.1, (4, 10, 20))
    maps = np.clip(background, 0, 1)
    # The lower second map must not count: only the highest does.
    files = [ClassMaps(np.array([1, 2]), np.stack([one, one / 2]), (60, 40)) for one in maps]
    assert otsu_level(files) == pytest.approx(otsu_by_trying_every_cut(maps.ravel()), abs=2 / 256)


def test_otsu_without_anything_to_part():
    with pytest.raises(InputError, match="none at all"):
        otsu_level([ClassMaps(np.zeros(0, int), np.zeros((0, 2, 2)), (4, 4))])
    with pytest.raises(InputError, match="one value everywhere"):
        otsu_level([ClassMaps(np.array([1]), np.zeros((1, 2, 2)), (4, 4))])
