"""Sums over scales and the mirrored image."""

import numpy as np
import pytest
from examples.networks import small_classifier
from references.class_maps import bilinear, placed

from wsseg.errors import InputError
from wsseg.explainers.cam import CAM
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.multi_scale import MultiScale

TARGETS = [[0, 1], [2, -1]]


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, (2, 18, 21, 3)).astype("float32")


def at_cells(maps, map_stride, scale=1.0, mirrored_width=None):
    """Read maps of 18 x 21 images at the middles of the wanted cells; their own look at pixels 2 i + 1."""
    rows, columns = (
        [(i + 0.5) * map_stride * scale - 0.5 for i in range(-(-n // map_stride))] for n in (18, 21)
    )
    if mirrored_width:
        columns = [mirrored_width - 1 - x for x in columns]
    return np.stack([[placed(m, rows, columns, 2, 1) for m in row] for row in maps])


def enlarged(images, size_hw):
    return np.stack([np.stack([bilinear(i[..., c], *size_hw) for c in range(3)], -1) for i in images])


def test_one_scale_without_flip_is_the_raw_map_where_its_cells_look(images):
    explainer = CAM(small_classifier())
    found = MultiScale(explainer, scales=(1.0,), flip=False, map_stride=4).raw(images, TARGETS)
    assert found.shape == (2, 2, 5, 6)  # ceil(18 / 4), ceil(21 / 4)
    expected = at_cells(np.maximum(explainer.raw(images, TARGETS), 0), 4)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[1, 0], expected[1, 0], atol=1e-5)


def test_two_scales_and_flip_are_summed(images):
    explainer = CAM(small_classifier())
    targets = [[0, 1], [2, 1]]
    found = MultiScale(explainer, scales=(1.0, 2.0), flip=True, map_stride=2).raw(images, targets)
    expected = np.zeros((2, 2, 9, 11))
    for scale, scaled in ((1, images), (2, enlarged(images, (36, 42)))):
        expected += at_cells(np.maximum(explainer.raw(scaled, targets), 0), 2, scale)
        mirrored = np.maximum(explainer.raw(scaled[:, :, ::-1], targets), 0)
        expected += at_cells(mirrored, 2, scale, mirrored_width=21 * scale)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_maps_whose_scale_depends_on_the_size_are_scaled_before_they_are_summed(images):
    model = small_classifier()
    model.get_layer("logits").kernel.assign(np.random.default_rng(0).uniform(-0.2, 1, (4, 3)))
    explainer = GradCAM(model)
    views = [explainer.raw(images, [0, 1]), explainer.raw(enlarged(images, (36, 42)), [0, 1])]
    found = MultiScale(explainer, scales=(1.0, 2.0), flip=False, map_stride=1).raw(images, [0, 1])
    views = [(v / v.max(axis=(1, 2), keepdims=True))[:, None] for v in views]
    expected = at_cells(views[0], 1) + at_cells(views[1], 1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("method", [CAM, GradCAM])
def test_mirrored_images_have_mirrored_maps(images, method):
    explain = MultiScale(method(small_classifier()), scales=(0.5, 1.0, 1.5), map_stride=3)  # 21 is 7 times 3
    direct = explain.raw(images, TARGETS)
    mirrored = explain.raw(images[:, :, ::-1], TARGETS)
    assert direct[0].max() > 0
    np.testing.assert_allclose(mirrored[..., ::-1], direct, atol=1e-5)


@pytest.mark.parametrize("method", [CAM, GradCAM])
def test_filler_images_change_nothing(images, method):
    explain = MultiScale(method(small_classifier()))
    alone = explain.raw(images, TARGETS)
    filler = np.concatenate([images[:1], np.full_like(images[:1], 1e3)])
    np.testing.assert_allclose(explain.raw(filler, TARGETS)[0], alone[0], rtol=1e-5, atol=1e-5)


def test_no_evidence_gives_zeros_not_nan(images):
    model = small_classifier()
    model.get_layer("logits").kernel.assign(-np.ones((4, 3)))
    assert not MultiScale(GradCAM(model)).raw(images, TARGETS).any()


def test_needs_a_model_of_any_size():
    with pytest.raises(InputError, match=r"this one takes \(9, 11\) only; create it with input_size=None"):
        MultiScale(CAM(small_classifier((9, 11))))


@pytest.mark.parametrize("scales", [(), (1.0, -0.5), (0,)])
def test_scales_must_be_positive(scales):
    with pytest.raises(InputError, match="`scales` must be positive"):
        MultiScale(CAM(small_classifier()), scales=scales)
