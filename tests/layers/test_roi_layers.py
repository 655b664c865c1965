"""Regions of feature maps, against hand-worked numbers and slow twins."""

import numpy as np
import pytest
import tensorflow as tf
from references import regions
from references.torchvision_regions import BINS, SAMPLES, STRIDE, inputs

from wsseg.errors import InputError
from wsseg.layers.roi_align import RoIAlign, levels_of
from wsseg.layers.roi_pool import RoIPool

GRID = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)  # value 4 row + column


def rois_of(random, count, side):
    """Regions of all kinds: inside, beyond each border, thin, empty, and one far outside."""
    corner = random.uniform(-0.2 * side, side, (count, 2))
    rois = np.concatenate([corner, corner + random.uniform(0.5, 0.8 * side, (count, 2))], axis=1)
    rois[0] = 0, 0, side, side
    rois[1] = 3, 3, 3, 3
    rois[2] = 3 * side, 3 * side, 4 * side, 4 * side
    return rois.astype("float32")


def test_align_of_a_drawn_grid_by_hand():
    # Stride 1: pixels 1 to 3 of both axes; the samples of the 2 x 2 bins lie at cells 0.75 and 1.25, 1.75 and 2.25.
    out = RoIAlign([1], output_size=2)([GRID, np.array([[[1.0, 1.0, 3.0, 3.0]]])]).numpy()[0, 0, ..., 0]
    np.testing.assert_allclose(out, [[5, 6], [9, 10]])  # means at (1, 1), (1, 2), (2, 1), (2, 2)
    # Half a pixel further right and down: bin centres at 1.5 and 2.5.
    out = RoIAlign([1], output_size=2)([GRID, np.array([[[1.5, 1.5, 3.5, 3.5]]])]).numpy()[0, 0, ..., 0]
    np.testing.assert_allclose(out, [[7.5, 8.5], [11.5, 12.5]])
    # One sample in the middle of one pixel is that pixel.
    out = RoIAlign([1], output_size=1, samples=1)([GRID, np.array([[[2.0, 1.0, 3.0, 2.0]]])]).numpy()
    assert out.item() == GRID[0, 1, 2, 0]


def test_pool_of_a_drawn_grid_by_hand():
    # Stride 1: 0.6 to 2.4 are cells 1 to 2; three bins of two cells overlap: 1, 1 to 2, 2.
    region = np.array([[[0.6, 0.6, 2.4, 2.4]]])
    out = RoIPool(1, output_size=3)([GRID, region]).numpy()[0, 0, ..., 0]
    np.testing.assert_array_equal(out, [[5, 6, 6], [9, 10, 10], [9, 10, 10]])
    outside = RoIPool(1, output_size=2)([GRID, np.array([[[6.0, 6.0, 9.0, 9.0]]])]).numpy()
    assert not outside.any()


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_align_and_its_gradient_equal_the_twin(samples):
    random = np.random.default_rng(samples)
    features = random.normal(size=(2, 6, 9, 3)).astype("float32")
    rois = np.stack([rois_of(random, 8, 40), rois_of(random, 8, 40)])
    upstream = random.normal(size=(2, 8, 4, 4, 3)).astype("float32")
    layer = RoIAlign([4], output_size=4, samples=samples)
    check_with_gradient(
        layer, rois, features, upstream, lambda f, r, u: regions.roi_align(f, r, 4, 4, samples, u)
    )


def test_pool_and_its_gradient_equal_the_twin():
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 6, 9, 3)).astype("float32")
    rois = np.stack([rois_of(random, 12, 40), rois_of(random, 12, 40)])
    upstream = random.normal(size=(2, 12, 3, 3, 3)).astype("float32")
    layer = RoIPool(4, output_size=3)
    check_with_gradient(layer, rois, features, upstream, lambda f, r, u: regions.roi_pool(f, r, 4, 3, u))


def check_with_gradient(layer, rois, features, upstream, twin):
    with tf.GradientTape() as tape:
        variable = tf.Variable(features)
        out = layer([variable, rois])
        loss = tf.reduce_sum(out * upstream)
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    for image in range(len(features)):
        total = np.zeros(features.shape[1:])
        for number, roi in enumerate(rois[image]):
            expected, part = twin(features[image], roi, upstream[image, number])
            np.testing.assert_allclose(out[image, number], expected, atol=1e-5)
            total += part
        np.testing.assert_allclose(gradient[image], total, atol=1e-4)


def test_a_pyramid_is_read_at_the_level_of_the_regions_size():
    random = np.random.default_rng(3)
    sides = [10, 111, 112, 113, 223, 224, 447, 448, 449, 900, 2000]
    rois = np.array([[[5, 7, 5 + side, 7 + side] for side in sides]], "float32")
    levels = levels_of(rois, (4, 8, 16, 32)).numpy()[0] + 2
    assert levels.tolist() == [regions.level_of(roi, 2, 5) for roi in rois[0]]
    assert levels.tolist() == [2, 2, 3, 3, 3, 4, 4, 5, 5, 5, 5]
    features = [
        random.normal(size=(1, 512 // stride, 512 // stride, 2)).astype("float32")
        for stride in (4, 8, 16, 32)
    ]
    out = RoIAlign([4, 8, 16, 32], output_size=2)([*features, rois]).numpy()
    for number, (roi, level) in enumerate(zip(rois[0], levels)):
        expected, _ = regions.roi_align(features[level - 2][0], roi, 2**level, 2, 2)
        np.testing.assert_allclose(out[0, number], expected, atol=1e-5)


def test_wrong_strides_are_named():
    for strides in ([], [3], [8, 4], [4, 4], [4.0]):
        with pytest.raises(InputError, match="ascending powers of two"):
            RoIAlign(strides)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("align", RoIAlign([STRIDE], BINS)),
        ("align_3", RoIAlign([STRIDE], BINS, samples=3)),
        ("pool", RoIPool(STRIDE, BINS)),
    ],
)
def test_regions_equal_torchvisions(name, layer):
    features, rois = inputs()
    with np.load(SAMPLES) as samples:
        np.testing.assert_allclose(layer([features, rois]).numpy(), samples[name], atol=1e-5)
