"""Our mean field beside pydensecrf's, on photographs."""

import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from wsseg.errors import InputError
from wsseg.refiners import DenseCRF, probabilities_from_labels
from wsseg.refiners.dense_crf import PRESETS

pytest.importorskip("pydensecrf")

PHOTOGRAPHS = {"astronaut": data.astronaut, "coffee": data.coffee, "chelsea": data.chelsea}


def photograph(name, size_hw):
    """A photograph, reduced as little as its shape allows."""
    image = PHOTOGRAPHS[name]()
    scale = min(image.shape[0] / size_hw[0], image.shape[1] / size_hw[1])
    height, width = int(size_hw[0] * scale), int(size_hw[1] * scale)
    return (resize(image[:height, :width], size_hw, anti_aliasing=scale > 1) * 255).astype(np.uint8)


def map_like(classes, size_hw, seed=0):
    """Probabilities as class maps give them: smooth blobs and some noise, a few labels high."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(size_hw[0] // 30 + 2, size_hw[1] // 30 + 2, classes)) - np.arange(classes) / 8
    scores = np.exp(2 * resize(coarse, size_hw, order=1) + 0.3 * rng.normal(size=(*size_hw, classes)))
    return (scores / scores.sum(-1, keepdims=True)).astype(np.float32)


def compare(crf, image, probs):
    """Return the share of equal labels, the largest difference, and the share that the CRF changes."""
    ours = crf(image, probs)
    theirs = DenseCRF(**(vars(crf) | {"backend": "pydensecrf"}))(image, probs)
    labels = theirs.argmax(-1)
    return (
        (ours.argmax(-1) == labels).mean(),
        np.abs(ours - theirs).max(),
        (probs.argmax(-1) != labels).mean(),
    )


@pytest.mark.parametrize("classes", [2, 3, 21])
@pytest.mark.parametrize("preset", PRESETS)
def test_equal_on_a_crop(preset, classes):
    agreement, difference, changed = compare(
        DenseCRF.preset(preset), photograph("chelsea", (150, 200)), map_like(classes, (150, 200))
    )
    assert changed > 0.05, "the CRF has something to do"
    assert agreement > 0.9995
    assert difference < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 4, 6, 11, 21])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_equal_on_photographs(name, preset, classes):
    agreement, difference, changed = compare(
        DenseCRF.preset(preset), photograph(name, (375, 500)), map_like(classes, (375, 500), seed=classes)
    )
    assert changed > 0.05
    assert agreement > 0.9995
    assert difference < 1e-3


def test_equal_from_hard_labels():
    labels = map_like(3, (150, 200)).argmax(-1)
    labels[40:60] = 255
    agreement, difference, _ = compare(
        DenseCRF(), photograph("coffee", (150, 200)), probabilities_from_labels(labels, 3)
    )
    assert agreement > 0.9995
    assert difference < 1e-3


@pytest.mark.parametrize("compatibility", [0.4, [[0, 1, 2], [1, 0, 0.2], [2, 0.2, -0.5]]])
def test_equal_with_another_compatibility(compatibility):
    image, probs = photograph("chelsea", (90, 120)), map_like(3, (90, 120))
    crf = DenseCRF.preset("deeplab_v2", compatibility=compatibility)
    agreement, difference, _ = compare(crf, image, probs)
    assert agreement > 0.9995
    assert difference < 1e-3
    assert np.abs(crf(image, probs) - DenseCRF.preset("deeplab_v2")(image, probs)).max() > 0.1


@pytest.mark.slow
def test_a_hundred_labels():
    agreement, difference, _ = compare(
        DenseCRF(iterations=3), photograph("chelsea", (60, 80)), map_like(100, (60, 80))
    )
    assert agreement > 0.9995
    assert difference < 1e-3


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 90), (90, 1), (3, 130), (65, 64)])
@pytest.mark.parametrize("flat", [True, False])
def test_equal_on_odd_sizes(size_hw, flat):
    rng = np.random.default_rng(0)
    image = (
        np.full((*size_hw, 3), 255, np.uint8)
        if flat
        else rng.integers(0, 256, (*size_hw, 3)).astype(np.uint8)
    )
    probs = rng.dirichlet(np.ones(3), size_hw).astype(np.float32)
    _, difference, _ = compare(DenseCRF(), image, probs)
    assert difference < 1e-3


def test_both_refuse_the_same_values():
    image, probs = photograph("chelsea", (8, 9)), map_like(3, (8, 9))
    wrong = {
        "twice": probs * 2,
        "nan": np.where(probs > 0.5, np.nan, probs),
        "shifted": probs + np.array([0.2, -0.2, 0]),
    }
    wrong["infinite"] = np.where(probs > 0.5, np.inf, probs)
    wrong["last pixel"] = probs.copy()
    wrong["last pixel"][-1, -1, -1] = np.nan
    for name, values in wrong.items():
        for backend in ("numba", "pydensecrf"):
            with pytest.raises(InputError, match="sum to 1"):
                DenseCRF(backend=backend)(image, values), name
    # Sums up to 1e-3 beside 1 pass in both, as resized maps have them.
    for backend in ("numba", "pydensecrf"):
        assert np.isfinite(DenseCRF(backend=backend)(image, probs * 1.0009)).all()
