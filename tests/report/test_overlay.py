import numpy as np
import pytest

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.report.overlay import legend, overlay, overlay_class_maps


def test_mask_is_blended_and_background_left_alone():
    image = np.full((1, 3, 3), 100, np.uint8)
    painted = overlay(image, np.array([[0, 1, 255]], np.uint8), alpha=0.25)
    assert painted.dtype == np.uint8
    # 0.75 * 100 + 0.25 * (128, 0, 0) and + 0.25 * (224, 224, 192)
    assert painted.tolist() == [[[100, 100, 100], [107, 75, 75], [131, 131, 123]]]
    green = np.array([[[0, 200, 0]]], np.uint8)  # turns gray, 0.587 * 200 = 117.4, where no class is
    assert overlay(green, np.array([[0]])).tolist() == [[[117, 117, 117]]]


def test_map_gets_lighter_with_its_value():
    ramp = np.linspace(0, 1, 33, dtype=np.float32)[None]
    painted = overlay(np.zeros((1, 33, 3), np.uint8), ramp, alpha=1.0).astype(float)
    lightness = painted[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


def test_alpha_zero_is_the_photograph():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(overlay(image, np.full((4, 5), 0.5), alpha=0), image)


def test_class_maps_show_the_winner_in_its_colour_by_strength():
    image = np.zeros((1, 3, 3), np.uint8)
    maps = np.array([[[1.0, 0.2, 0.0]], [[0.1, 0.5, 0.0]]], np.float32)
    painted = overlay_class_maps(image, ClassMaps(np.array([1, 2]), maps, (1, 3)), alpha=1.0)
    assert painted.tolist() == [[[128, 0, 0], [0, 64, 0], [0, 0, 0]]]


def test_image_without_classes_turns_gray():
    image = np.zeros((1, 1, 3), np.uint8)
    image[..., 1] = 200
    none = ClassMaps(np.zeros(0, int), np.zeros((0, 1, 1)), (1, 1))
    assert overlay_class_maps(image, none).tolist() == [[[117, 117, 117]]]  # 0.587 * 200 = 117.4


def test_legend_ends_with_unsure():
    assert legend(["background", "cat", "dog"])[1:] == (
        ("cat", "#800000"),
        ("dog", "#008000"),
        ("unsure", "#e0e0c0"),
    )


def test_wrong_input():
    image = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(InputError, match=r"\(H, W\) = \(2, 3\)"):
        overlay(image, np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"in \[0, 1\]; got 0\.\.2"):
        overlay(image, np.linspace(0, 2, 6).reshape(2, 3))
    with pytest.raises(InputError, match="must lie in"):
        overlay(image, np.full((2, 3), np.nan))
    with pytest.raises(InputError, match="`alpha`"):
        overlay(image, np.zeros((2, 3)), alpha=2)
    with pytest.raises(InputError, match="uint8 RGB"):
        overlay(image / 255, np.zeros((2, 3)))
    with pytest.raises(InputError, match="belong to an image"):
        overlay_class_maps(image, ClassMaps(np.array([1]), np.zeros((1, 2, 2)), (9, 9)))
