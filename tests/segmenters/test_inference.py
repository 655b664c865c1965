"""Predictions of whole images: cut to size, averaged over views, traced once a padded shape."""

import keras
import numpy as np
import pytest
from PIL import Image
from references.class_maps import bilinear

from wsseg.datasets import Dataset, Record
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.size_guard import SizeGuard
from wsseg.loading.augment import FILL_RGB
from wsseg.segmenters.inference import Predictor

SIZES = ((40, 60), (64, 64), (70, 30), (33, 64), (50, 50))


@pytest.fixture
def dataset(tmp_path):
    random, records = np.random.default_rng(0), []
    for index, size_hw in enumerate(SIZES):
        path = tmp_path / f"{index}.png"
        Image.fromarray(random.integers(0, 256, (*size_hw, 3), np.uint8)).save(path)
        records.append(Record(str(index), path, ("a",)))
    return Dataset("noise", "val", ("a",), records)


def network(kernel=1):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    tensor = keras.layers.Rescaling(1 / 64)(image)
    return keras.Model(image, keras.layers.Conv2D(3, kernel, padding="same")(tensor))


def softmax(logits):
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


@pytest.mark.parametrize("flip", [False, True])
def test_pixelwise_network_gives_the_softmax_of_its_logits(dataset, flip):
    # Each pixel by itself: mirroring and padding must change nothing, if they are undone rightly.
    model = network()
    seen = []
    for record, probabilities in Predictor(model, flip=flip)(dataset, dataset, batch_size=2):
        image = dataset.read_image(record)
        assert probabilities.shape == (*image.shape[:2], 3) and probabilities.dtype == np.float32
        np.testing.assert_allclose(
            probabilities, softmax(model(image[None].astype("float32")).numpy()[0]), atol=1e-5
        )
        seen.append(record.id)
    assert sorted(seen) == ["0", "1", "2", "3", "4"]


def test_flip_averages_the_mirrored_view(dataset):
    model = network(kernel=3)
    record = dataset[1]  # 64 x 64: no padding
    image = dataset.read_image(record)[None].astype("float32")
    views = [softmax(model(image).numpy()), softmax(model(image[:, :, ::-1]).numpy())[:, :, ::-1]]
    ((_, found),) = Predictor(model)(dataset, [record], batch_size=1)
    np.testing.assert_allclose(found, np.mean(views, 0)[0], atol=1e-5)
    assert not np.allclose(found, views[0][0], atol=1e-3)


def test_scales_are_averaged_at_the_images_size(dataset):
    model = network()
    record = dataset[1]
    image = dataset.read_image(record).astype("float32")
    double = np.stack([bilinear(image[..., c], 128, 128) for c in range(3)], -1).astype("float32")
    large = softmax(model(double[None]).numpy()[0])
    back = np.stack([bilinear(large[..., k], 64, 64) for k in range(3)], -1)
    expected = (softmax(model(image[None]).numpy()[0]) + back) / 2
    ((_, found),) = Predictor(model, scales=(1.0, 2.0), flip=False)(dataset, [record], batch_size=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


def test_one_trace_a_padded_shape(dataset):
    predictor = Predictor(network(), scales=(0.5, 1.0))
    for _ in range(2):
        assert len(list(predictor(dataset, dataset, batch_size=3))) == 5
    # 64 x 64 (four images, in batches of 3) and 128 x 64.
    assert predictor._function.experimental_get_tracing_count() == 2


def test_max_is_the_softmax_of_the_highest_scores(dataset):
    model = network(kernel=3)
    record = dataset[1]
    image = dataset.read_image(record)[None].astype("float32")
    views = [model(image).numpy(), model(image[:, :, ::-1]).numpy()[:, :, ::-1]]
    ((_, found),) = Predictor(model, fusion="max")(dataset, [record], batch_size=1)
    np.testing.assert_allclose(found, softmax(np.maximum(*views))[0], atol=1e-5)
    assert not np.allclose(found, (softmax(views[0]) + softmax(views[1]))[0] / 2, atol=1e-3)


def choosy(multiple, remainder, smallest):
    """Return a network that takes certain sizes only, and says so."""
    image = keras.Input((None, None, 3))
    guarded = SizeGuard(multiple, remainder, smallest, "choosy")(image)
    model = keras.Model(image, network(kernel=3)(guarded))
    model.sizes = LegalSizes(multiple, remainder, smallest)
    return model


def test_views_are_filled_up_to_legal_sizes(dataset):
    model = choosy(48, 5, 60)
    for record, found in Predictor(model, flip=False)(dataset, dataset, batch_size=2):
        image = dataset.read_image(record).astype("float32")
        height, width = image.shape[:2]
        # Sides are rounded up to 64 or 128 first, then to 101 or 149, with the mean colour.
        side = [101 if n <= 64 else 149 for n in (height, width)]
        filled = np.broadcast_to(np.float32(FILL_RGB), (*side, 3)).copy()
        filled[:height, :width] = image
        expected = softmax(model(filled[None]).numpy()[0])[:height, :width]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_scaled_and_mirrored_views_are_legal_too(dataset):
    found = list(Predictor(choosy(32, 0, 32), scales=(0.3, 1.0, 1.26))(dataset, dataset, batch_size=3))
    assert len(found) == 5
    for record, probabilities in found:
        assert probabilities.shape[:2] == dataset.read_image(record).shape[:2]
        np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)


def unpadded():
    """Return a network without padding whose logits lack 3 pixels at each border; legal are odd sides from 15."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    tensor = keras.layers.Rescaling(1 / 64)(SizeGuard(2, 1, 15, "unpadded")(image))
    tensor = keras.layers.Conv2D(4, 3, activation="relu")(tensor)
    model = keras.Model(image, keras.layers.Conv2D(3, 5)(tensor))
    model.sizes, model.margin = LegalSizes(2, 1, 15), 3
    return model


@pytest.mark.parametrize("tile", [21, 572])
@pytest.mark.parametrize("flip", [False, True])
def test_a_network_without_padding_predicts_mirrored_images_in_tiles(dataset, tile, flip):
    model = unpadded()
    for record, found in Predictor(model, flip=flip, tile=tile)(dataset, dataset, batch_size=2):
        image = dataset.read_image(record).astype("float32")
        height, width = image.shape[:2]
        views = []
        for view in (image, image[:, ::-1]) if flip else (image,):
            # As a whole, filled up at the right and below to odd sides, which nothing that is kept sees.
            pad = ((3, 3 + 1 - height % 2), (3, 3 + 1 - width % 2), (0, 0))
            views.append(softmax(model(np.pad(view, pad, "reflect")[None]).numpy()[0])[:height, :width])
        expected = (views[0] + views[1][:, ::-1]) / 2 if flip else views[0]
        np.testing.assert_allclose(found, expected, atol=1e-5)
