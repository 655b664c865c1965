"""Scale and crop: geometry by hand, filling, and random numbers in their ranges."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf

from wsseg.loading.augment import FILL_RGB, Crops, Jitter, erase, flipped, scale_and_crop


def cut(image, mask, long_side, offset_yx, crop):
    image, labels = scale_and_crop(
        tf.constant(image),
        tf.constant(mask[..., None]),
        tf.constant(float(long_side)),
        tf.constant(offset_yx),
        crop,
    )
    return image.numpy(), labels.numpy()[..., 0], labels.numpy()[..., 1]


def grid(height, width):
    """Return an image whose red and green are its pixels' row and column, and a mask of running numbers."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, np.zeros_like(rows)], -1).astype(np.uint8)
    return image, (rows * width + columns).astype(np.uint8)


@pytest.mark.parametrize(
    ("offset", "start"),
    [((0.0, 0.0), (0, 0)), ((0.5, 0.5), (3, 4)), ((0.999, 0.999), (5, 7)), ((0.0, 0.999), (0, 7))],
)
def test_crop_lies_where_the_offset_says(offset, start):
    # 9 x 11 pixels, crop 4: room for 5 and 7, so 6 and 8 places.
    image, mask = grid(9, 11)
    found, labels, valid = cut(image, mask, 11, offset, 4)
    rows, columns = slice(start[0], start[0] + 4), slice(start[1], start[1] + 4)
    np.testing.assert_allclose(found, image[rows, columns], atol=1e-3)
    np.testing.assert_array_equal(labels, mask[rows, columns])
    assert valid.all()


@pytest.mark.parametrize(("offset", "start"), [((0.0, 0.0), (0, 0)), ((0.999, 0.5), (5, 2))])
def test_smaller_image_lies_in_the_crop_and_the_rest_is_filled(offset, start):
    image, mask = grid(3, 5)  # crop 8: room of 5 and 3
    found, labels, valid = cut(image, mask, 5, offset, 8)
    inside = np.zeros((8, 8), bool)
    inside[start[0] : start[0] + 3, start[1] : start[1] + 5] = True
    np.testing.assert_allclose(found[inside], image.reshape(-1, 3), atol=1e-3)
    np.testing.assert_array_equal(labels[inside], mask.ravel())
    np.testing.assert_array_equal(valid, inside)
    assert (labels[~inside] == 255).all()
    np.testing.assert_array_equal(found[~inside], np.broadcast_to(np.float32(FILL_RGB), (49, 3)))


def test_scaling_doubles_every_pixel():
    image, mask = grid(3, 4)
    found, labels, _ = cut(image, mask, 8, (0.0, 0.0), 6)
    np.testing.assert_array_equal(labels, np.repeat(np.repeat(mask, 2, 0), 2, 1)[:6, :6])
    np.testing.assert_allclose(
        found[0, :, 1], [0, 0.25, 0.75, 1.25, 1.75, 2.25], atol=1e-3
    )  # half-pixel centres


def test_thin_image_keeps_a_pixel():
    found, _, valid = cut(*grid(1, 100), 20, (0.0, 0.0), 20)
    assert found.shape == (20, 20, 3) and valid.sum() == 20


def test_the_last_offset_below_one_fits():
    last = np.nextafter(np.float32(1), np.float32(0))
    for size in (5, 8, 9, 40, 129):
        cut(*grid(size, size), size, (last, last), 8)


def test_offsets_stay_below_one():
    class Largest:
        """A generator that always draws its largest number."""

        def permutation(self, count):
            return np.arange(count)

        def uniform(self, low, high, size):
            return np.full(size, np.nextafter(high, low))

        def random(self, size, dtype=np.float64):
            return np.full(size, np.nextafter(dtype(1), dtype(0)), dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "default_rng", lambda seed: Largest())
        assert Crops.draw(3, (10, 20), 0, 0).offset_yx.max() < 1


def test_draws_follow_from_seed_and_epoch():
    first, again = Crops.draw(50, (100, 200), 3, 1), Crops.draw(50, (100, 200), 3, 1)
    np.testing.assert_array_equal(first.order, again.order)
    np.testing.assert_array_equal(first.offset_yx, again.offset_yx)
    assert sorted(first.order) == list(range(50))
    assert 100 <= first.size.min() < 120 and 180 < first.size.max() <= 200
    for other in (Crops.draw(50, (100, 200), 3, 2), Crops.draw(50, (100, 200), 4, 1)):
        assert not np.array_equal(first.order, other.order)
        assert not np.array_equal(first.size, other.size)


def test_flip_mirrors_images_and_masks_of_half_the_images():
    image = np.tile(np.arange(4, dtype="float32")[None, :, None], (4, 1, 3))
    mirrored = 0
    for numbers in Crops.draw(64, (1, 1), 0, 0).flip:
        found, mask = (
            flipped(tf.constant(one), numbers, "horizontal").numpy() for one in (image, image[..., :2])
        )
        expected = image[:, ::-1] if numbers[1] < 0.5 else image
        mirrored += numbers[1] < 0.5
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(mask, expected[..., :2])
    assert 15 < mirrored < 49


def test_flip_of_both_kinds_goes_four_ways():
    image = tf.reshape(tf.range(4.0), (2, 2, 1))
    corners = {
        tuple(flipped(image, numbers, "both").numpy().ravel())
        for numbers in Crops.draw(64, (1, 1), 0, 0).flip
    }
    assert corners == {(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)}


def test_jitter_of_zero_is_nothing():
    images = tf.random.stateless_uniform((3, 4, 4, 3), (0, 1), 0, 255)
    assert Jitter(0)(images, np.ones((3, 3), np.float32)) is images


def by_hand(image, strength, brightness, contrast, saturation):
    """The three changes of one image, pixel by pixel; hue and value stay when the saturation changes."""
    image = np.clip(image + 255 * strength * brightness, 0, 255)
    mean = image.mean(axis=(0, 1))
    image = np.clip((image - mean) * (1 + strength * contrast) + mean, 0, 255)
    share = 0.5 + strength / 4 * saturation
    result = image.copy()
    for place in np.ndindex(image.shape[:2]):
        hue, saturated, value = colorsys.rgb_to_hsv(*image[place])
        result[place] = colorsys.hsv_to_rgb(hue, min(saturated * share / (1 - share), 1), value)
    return result


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_jitter_equals_the_formulas(strength):
    random = np.random.default_rng(2)
    images = random.uniform(5, 250, (12, 3, 4, 3)).astype(np.float32)
    numbers = Crops.draw(12, (1, 1), 4, 0).jitter
    assert numbers.min() < -0.8 and numbers.max() > 0.8  # both ways of each change are met
    found = Jitter(strength)(tf.constant(images), numbers).numpy()
    expected = [by_hand(image.astype(float), strength, *row) for image, row in zip(images, numbers)]
    np.testing.assert_allclose(found, expected, atol=2e-2)
    assert found.min() >= 0 and found.max() <= 255


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0.5, 0.25, 0.0, 0.0), (0, 4), (0, 2)),
        ((0.5, 0.25, 0.99, 0.99), (4, 8), (6, 8)),
        ((0.5, 0.5, 0.5, 0.0), (2, 6), (0, 4)),
        ((0.0, 0.5, 0.5, 0.5), (0, 0), (0, 0)),
    ],
)
def test_erased_rectangle(box, rows, columns):
    image = np.full((8, 8, 3), 7, np.float32)
    expected = image.copy()
    expected[slice(*rows), slice(*columns)] = FILL_RGB
    np.testing.assert_array_equal(erase(tf.constant(image), tf.constant(box)), expected)


def test_flips_and_jitter_do_not_follow_each_other_or_the_crops():
    crops = Crops.draw(4000, (0, 1), 5, 0)
    columns = np.column_stack([crops.size, crops.offset_yx, crops.object_at, crops.flip, crops.jitter])
    assert np.abs(np.corrcoef(columns, rowvar=False) - np.eye(columns.shape[1])).max() < 0.08
    assert crops.jitter.min() < -0.99 and crops.jitter.max() > 0.99
