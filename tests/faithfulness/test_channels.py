"""Models of images that are not RGB: measures of maps and counterfactual localisation, with a fill for each channel."""

import keras
import numpy as np
import pytest
from keras import layers

from wsseg.errors import InputError
from wsseg.faithfulness.average_drop import AverageDrop
from wsseg.faithfulness.baselines import BASELINES
from wsseg.faithfulness.fills import filled
from wsseg.faithfulness.insertion_deletion import InsertionDeletion
from wsseg.faithfulness.road import Road
from wsseg.faithfulness.scorer import Scorer
from wsseg.places.counterfactual_localisation import CounterfactualLocaliser
from wsseg.places.regions import regions_of

CHANNELS = pytest.mark.parametrize("channels", [1, 2, 4, 13])


def bright_last_channel(channels):
    """Return a classifier whose logit is 8 times the last channel's mean, of [0, 1], minus 1; and an image."""
    image = keras.Input((32, 32, channels))
    mean = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(image))
    dense = layers.Dense(1, activation="sigmoid")
    model = keras.Model(image, dense(mean))
    dense.set_weights([np.eye(channels)[:, -1:] * 8, np.array([-1.0])])
    pixels = np.full((32, 32, channels), 20, np.uint8)
    pixels[4:20, 8:16, -1] = 240
    return model, pixels


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@CHANNELS
def test_scores_and_measures(channels):
    model, image = bright_last_channel(channels)
    scorer = Scorer(model)
    np.testing.assert_allclose(scorer([image]), [[sigmoid(8 * image[..., -1].mean() / 255 - 1)]], rtol=1e-5)
    map_hw = np.zeros((32, 32))
    map_hw[4:20, 8:16] = 1
    # After half of the pixels, the whole block is gone: only the fill's own last channel is left there.
    colour = np.arange(channels) * 10.0
    curves = InsertionDeletion(scorer, steps=2, fill=colour).update(image, map_hw, 0)
    last = image[..., -1].astype(float)
    order_free = sigmoid(8 * colour[-1] / 255 - 1)
    np.testing.assert_allclose(curves.deletion[-1], order_free, rtol=1e-5)
    np.testing.assert_allclose(curves.insertion[-1], sigmoid(8 * last.mean() / 255 - 1), rtol=1e-5)
    drop = AverageDrop(scorer)
    drop.update(image, map_hw, 0)
    before, after = (sigmoid(8 * x.mean() / 255 - 1) for x in (last, last * map_hw))
    np.testing.assert_allclose(drop.result()["average_drop"], 100 * (before - after) / before, rtol=1e-4)
    assert Road(scorer, shares=(0.2,)).update(image, map_hw, 0).shape == (2, 1)
    assert {
        name: make(image[None], np.array([0])).shape for name, make in BASELINES.items()
    } == dict.fromkeys(BASELINES, (1, 32, 32))


@CHANNELS
def test_wrong_numbers_of_channels(channels):
    model, image = bright_last_channel(channels)
    scorer = Scorer(model)
    more = np.repeat(image[..., :1], channels + 1, axis=-1)
    with pytest.raises(
        InputError, match=rf"must be \(32, 32, {channels}\) .*; give it that number of channels"
    ):
        scorer([more])
    with pytest.raises(InputError, match=rf"for each channel \({channels}\)"):
        InsertionDeletion(scorer, fill=[0.0] * (channels + 1))
    with pytest.raises(InputError, match=rf"for each channel \({channels + 1}\)"):
        filled(more, [0.0] * channels)
    with pytest.raises(InputError, match=rf"must be \(H, W, {channels}\) uint8"):
        CounterfactualLocaliser(model)(more, 0)


@CHANNELS
@pytest.mark.parametrize("fill", ["mean", "blur", "inpaint"])
def test_counterfactual_localisation(channels, fill):
    model, image = bright_last_channel(channels)
    found = CounterfactualLocaliser(model, segments=(16, 32), fill=fill)(image, 0)
    assert found.boxes_xyxy.tolist() == [[8, 4, 16, 20]]


def test_counterfactual_localisation_in_a_larger_image():
    model, image = bright_last_channel(4)
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    found = CounterfactualLocaliser(model, segments=(16, 32))(large, 0)
    assert found.boxes_xyxy.tolist() == [[16, 8, 32, 40]]


@CHANNELS
def test_superpixels_of_equal_channels_are_those_of_gray(channels):
    gray = np.zeros((40, 40, 1), np.uint8)
    gray[5:18, 6:20] = gray[20:, 30:] = 255  # at 0 and 255, Lab's lightness is the gray value
    found, wanted = (regions_of(gray.repeat(n, axis=-1), segments=(16,)).atoms_hw for n in (channels, 3))
    np.testing.assert_array_equal(found, wanted)
