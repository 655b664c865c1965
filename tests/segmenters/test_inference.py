"""Predictions of whole images: cut to size, averaged over views."""

import keras
import numpy as np
import pytest
from examples.segmenter_checks import randomise
from examples.segmenters import small
from PIL import Image
from references.class_maps import bilinear

from wsseg import segmenters
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.layers.legal_sizes import LegalSizes
from wsseg.layers.size_guard import SizeGuard
from wsseg.loading.augment import FILL_RGB
from wsseg.loading.reduction import MAX_SIDE, reduced
from wsseg.recipe import SegmentConfig
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


def pooling(says_so=True):
    """Return a network that adds the average of the whole image to each pixel's scores."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    tensor = keras.layers.Conv2D(3, 3, padding="same")(keras.layers.Rescaling(1 / 64)(image))
    tensor = tensor + keras.layers.GlobalAveragePooling2D(keepdims=True)(tensor)
    model = keras.Model(image, tensor)
    model.pools_globally = says_so
    return model


def published(name):
    return randomise(small(name, input_size=None, num_classes=3)[0])


def check_own_sizes(model, dataset, records):
    """Assert that images are predicted as the network predicts each by itself, and that it is traced once."""
    assert model.pools_globally
    predictor = Predictor(model, scales=(1.0, 1.5), flip=False)
    for record, found in predictor(dataset, records, batch_size=2):
        image = dataset.read_image(record).astype("float32")
        height, width = image.shape[:2]
        sides = [round(1.5 * side) for side in (height, width)]
        large = np.stack([bilinear(image[..., c], *sides) for c in range(3)], -1).astype("float32")
        views = [softmax(model(view[None]).numpy()[0]) for view in (image, large)]
        views[1] = np.stack([bilinear(views[1][..., k], height, width) for k in range(3)], axis=-1)
        np.testing.assert_allclose(found, np.mean(views, 0), atol=1e-3)
    assert predictor._network.experimental_get_tracing_count() == 1


def test_a_network_that_pools_globally_sees_no_filling(dataset):
    check_own_sizes(pooling(), dataset, dataset)
    # Where it doesn't say so, it does see it.
    (_, own), (_, filled) = (
        next(Predictor(pooling(says), flip=False)(dataset, [dataset[4]])) for says in (True, False)
    )
    assert np.abs(own - filled).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pspnet", "deeplab_v3_plus", "parsenet", "deeplab_v3"])
def test_published_networks_that_pool_globally_see_no_filling(dataset, name):
    check_own_sizes(published(name), dataset, dataset[3:])


def test_which_networks_pool_globally():
    found = {name: small(name)[0].pools_globally for name in ("fpn", "unet", "pspnet", "deeplab_v3_plus")}
    assert found == {"fpn": False, "unet": False, "pspnet": True, "deeplab_v3_plus": True}


@pytest.mark.slow
def test_a_backbone_that_squeezes_pools_globally(dataset):
    model = segmenters.create("fpn", num_classes=3, backbone="efficientnet_b0", channels=8, head_channels=8)
    check_own_sizes(model, dataset, dataset[4:])


@pytest.mark.parametrize("margin", [False, True])
def test_large_images_are_predicted_small_and_labelled_at_their_own_size(dataset, margin):
    model = unpadded() if margin else network()
    predictor = Predictor(model, flip=False, max_side=50)
    masks = {record.id: mask for record, mask in predictor.masks(dataset, dataset, batch_size=2)}
    whole = {record.id: mask for record, mask in Predictor(model, flip=False).masks(dataset, dataset)}
    for record, found in predictor(dataset, dataset, batch_size=2):
        image = dataset.read_image(record)
        height, width = image.shape[:2]
        small = reduced(image, 50).astype("float32")
        assert max(small.shape) == min(50, max(height, width))
        if margin:
            pad = ((3, 3 + 1 - small.shape[0] % 2), (3, 3 + 1 - small.shape[1] % 2), (0, 0))
            logits = model(np.pad(small, pad, "reflect")[None]).numpy()[0, : small.shape[0], : small.shape[1]]
        else:
            logits = model(small[None]).numpy()[0]
        expected = np.stack([bilinear(softmax(logits)[..., k], height, width) for k in range(3)], -1)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert masks[record.id].dtype == np.uint8
        assert (masks[record.id] == expected.argmax(-1)).mean() > 0.999  # but for equal probabilities
        assert np.array_equal(masks[record.id], whole[record.id]) == (max(height, width) <= 50)


def test_what_refines_sees_the_image_as_the_network_did(dataset):
    seen = {}

    def refine(image, probabilities):
        assert image.dtype == np.uint8 and image.shape[:2] == probabilities.shape[:2]
        seen[image.shape[:2]] = image
        return np.eye(3, dtype=np.float32)[np.full(image.shape[:2], 2)]

    record = dataset[2]  # 70 x 30
    ((_, mask),) = Predictor(network(), max_side=35).masks(dataset, [record], refine)
    assert mask.shape == (70, 30) and (mask == 2).all()
    np.testing.assert_array_equal(seen[35, 15], reduced(dataset.read_image(record), 35))


def test_the_limit_of_size():
    assert SegmentConfig().max_side == MAX_SIDE
    with pytest.raises(InputError, match="`max_side` must be at least 1, or None; got 0"):
        Predictor(network(), max_side=0)
