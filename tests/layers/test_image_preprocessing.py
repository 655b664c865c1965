"""`ImagePreprocessing` and `ImageStatistics` against keras.applications and by hand."""

import keras
import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.layers.image_preprocessing import ImagePreprocessing
from wsseg.layers.image_statistics import ImageStatistics


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_equals_keras_applications(images, mode):
    expected = keras.applications.imagenet_utils.preprocess_input(images.copy(), mode=mode)
    np.testing.assert_allclose(ImagePreprocessing(mode)(images), expected, rtol=1e-5, atol=1e-4)


def test_caffe_by_hand():
    pixel = np.array([[[[10.0, 20.0, 30.0]]]])
    expected = [30 - 103.939, 20 - 116.779, 10 - 123.68]  # BGR
    np.testing.assert_allclose(np.ravel(ImagePreprocessing("caffe")(pixel)), expected, rtol=1e-5)


def test_none_leaves_the_image(images):
    np.testing.assert_array_equal(ImagePreprocessing("none")(images), images)


def test_eight_bit_images(images):
    np.testing.assert_allclose(
        ImagePreprocessing("torch")(images.astype("uint8")),
        ImagePreprocessing("torch")(np.floor(images)),
        atol=1e-5,
    )


def test_mixed_precision_computes_in_float32_before_it_casts():
    # 127.55 is 127.5625 in float16: centred there it would be 0.00049, not 0.00039.
    layer = ImagePreprocessing("tf", dtype="mixed_float16")
    image = keras.Input((1, 1, 3))
    output = keras.Model(image, layer(image))(np.full((1, 1, 1, 3), 127.55, "float32"))
    assert keras.backend.standardize_dtype(output.dtype) == "float16"
    np.testing.assert_allclose(np.array(output, "float32"), 0.05 / 127.5, rtol=2e-3)


def test_config_round_trip(images):
    layer = ImagePreprocessing("torch", name="p")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (restored.mode, restored.name) == ("torch", "p")


def test_unknown_mode_names_the_nearest():
    with pytest.raises(InputError, match="did you mean `torch`"):
        ImagePreprocessing("pytorch")


def test_statistics_equal_keras_normalization(images):
    mean, variance = np.array([10.0, 20.0, 30.0]), np.array([4.0, 9.0, 16.0])
    layer = ImageStatistics()
    layer.build(images.shape)
    layer.set_weights([mean, variance, np.array(0)])
    expected = keras.layers.Normalization(mean=mean, variance=variance)(images)
    np.testing.assert_allclose(layer(images), expected, rtol=1e-5, atol=1e-4)


def test_statistics_follow_set_weights_on_a_model_already_compiled(images):
    image = keras.Input((4, 5, 3))
    model = keras.Model(image, ImageStatistics(dtype="mixed_float16")(image))
    before = model.predict(images, verbose=0)
    model.set_weights([np.full(3, 100.0), np.full(3, 4.0), np.array(0)])
    after = model.predict(images, verbose=0)
    np.testing.assert_allclose(after, (images - 100) / 2, rtol=1e-3, atol=0.05)
    assert not np.allclose(before, after)
    assert not model.trainable_weights
