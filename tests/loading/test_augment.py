"""Scale and crop: geometry by hand, filling, and random numbers in their ranges."""

import numpy as np
import pytest
import tensorflow as tf

from wsseg.loading.augment import FILL_RGB, Crops, erase, flip_layer, jitter_layers, scale_and_crop


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


def test_flip_mirrors_images_and_masks_of_half_the_batch():
    images = np.tile(np.arange(4, dtype="float32")[None, None, :, None], (64, 4, 1, 3))
    found = flip_layer("horizontal", 1)(
        {"images": images, "segmentation_masks": images[..., :2]}, training=True
    )
    flipped = found["images"].numpy()[:, 0, 0, 0] == 3
    assert 15 < flipped.sum() < 49
    for image, mask, mirrored in zip(found["images"].numpy(), found["segmentation_masks"].numpy(), flipped):
        expected = images[0][:, ::-1] if mirrored else images[0]
        np.testing.assert_array_equal(image, expected)
        np.testing.assert_array_equal(mask, expected[..., :2])


def test_jitter_of_zero_is_nothing_and_more_stays_in_range():
    assert jitter_layers(0, 1) == []
    images = np.random.default_rng(0).uniform(0, 255, (32, 4, 4, 3)).astype("float32")
    images[..., 1:] *= 0.3
    for layer in jitter_layers(0.4, 1):
        changed = layer(images, training=True).numpy()
        assert changed.min() >= 0 and changed.max() <= 255 and not np.allclose(changed, images)


def test_contrast_goes_both_ways():
    images = np.tile(np.array([80, 120], "float32")[None, :, None, None], (64, 1, 2, 3))
    found = jitter_layers(0.4, 1)[1](images, training=True).numpy()
    spread = (found[:, 1] - found[:, 0])[:, 0, 0]
    assert spread.min() > 23.9 and spread.max() < 56.1  # 40 +- 40 %
    assert spread.min() < 30 and spread.max() > 50


def test_saturation_goes_both_ways():
    saturate = jitter_layers(0.6, 1)[-1]
    images = np.tile(np.array([160, 100, 100], "float32"), (64, 2, 2, 1))
    found = saturate(images, training=True).numpy()
    spread = found.max(-1)[:, 0, 0] - found.min(-1)[:, 0, 0]
    assert (spread > 61).any() and (spread < 59).any()


def test_flip_of_both_kinds_goes_four_ways():
    images = np.tile(np.arange(4, dtype="float32").reshape(1, 2, 2, 1), (64, 1, 1, 3))
    found = flip_layer("both", 1)({"images": images, "segmentation_masks": images[..., :2]}, training=True)
    corners = {tuple(image[..., 0].ravel()) for image in found["images"].numpy()}
    assert corners == {(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)}
    np.testing.assert_array_equal(found["images"][..., :2], found["segmentation_masks"])


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


def test_flips_do_not_follow_the_brightness():
    images = np.full((256, 2, 2, 3), 100, "float32")
    images[:, :, 0] = 90
    flipped = flip_layer("horizontal", 5)({"images": images, "segmentation_masks": images}, training=True)[
        "images"
    ].numpy()
    brighter = jitter_layers(0.4, 5)[0](images, training=True).numpy()[:, 0, 0, 0]
    assert abs(np.corrcoef(flipped[:, 0, 0, 0] == 100, brighter)[0, 1]) < 0.25
