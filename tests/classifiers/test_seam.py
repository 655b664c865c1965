"""SEAM's maps and losses against loops in NumPy, where its gradients go, and the place of the smaller view."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from references import class_map_heads, seam
from references.class_map_heads import cells_inside

from wsseg import backbones, explainers
from wsseg.backbones.alignment import grids
from wsseg.classifiers.equivariance import Equivariance
from wsseg.classifiers.smaller_view import OnImageCells, SmallerView
from wsseg.classifiers.strongest_class import StrongestClass
from wsseg.errors import InputError
from wsseg.interpolation import placed

LABELS = np.array([[1, 0, 1], [0, 1, 0]], "float32")
RANDOM = np.random.default_rng(0)
INSIDE = cells_inside((4, 6), (64, 96), (40, 64))


@pytest.fixture(scope="module")
def model(build):
    return build("seam")


def layer_maps(model, images):
    return keras.Model(model.input, model.class_maps)(images).numpy()


def test_the_strongest_class(padded):
    maps = RANDOM.normal(0, 1, (2, 4, 6, 3)).astype("float32")
    found = StrongestClass()(maps, padded).numpy()
    np.testing.assert_allclose(found[0], seam.strongest_class(maps[0], INSIDE), atol=1e-5)
    np.testing.assert_allclose(found[1], seam.strongest_class(maps[1]), atol=1e-5)
    assert np.abs(StrongestClass()(maps).numpy()[0] - found[0]).max() > 1e-2  # the padding has no say


def test_refined_maps_are_the_strongest_classes_spread(model, images):
    maps = layer_maps(model, images)
    features = keras.Model(model.input, model.refined_maps().get_layer("correlation").input[1])(
        images
    ).numpy()
    assert features.shape == (2, 4, 6, 195)
    found = model.refined_maps()(images).numpy()
    kernel = model.correlation.kernel.numpy()
    for one, own, context in zip(found, maps, features):
        expected = seam.correlated(seam.strongest_class(own), context, kernel)
        np.testing.assert_allclose(one, expected[..., 1:], atol=1e-4)
    # The image's colours at the pixels where the cells look, and two levels through ReLU.
    grid = explainers.create("seam", model=model).grid
    rows, columns = (
        placed(np.arange(cells) * stride + centre, pixels, 1, 0)
        for cells, pixels, stride, centre in zip((4, 6), (64, 96), grid.stride_hw, grid.centre_hw)
    )
    colours = np.einsum("yh,bhwc,xw->byxc", rows, images, columns) / 64 - 2
    np.testing.assert_allclose(features[..., :3], colours, atol=1e-4)
    assert features[..., 3:].min() == 0 and features[..., 3:67].any() and features[..., 67:].any()


def test_the_losses(padded):
    maps = [RANDOM.normal(0, 1, (2, 4, 6, 3)).astype("float32") for _ in range(2)]
    refined = [RANDOM.uniform(0, 1, (2, 4, 6, 4)).astype("float32") for _ in range(2)]
    layer = Equivariance()
    np.testing.assert_array_equal(layer(LABELS, maps, refined, LABELS, padded), LABELS)
    found = [float(loss) for loss in layer.losses]
    images = [
        seam.losses([m[b] for m in maps], [r[b] for r in refined], LABELS[b], inside)
        for b, inside in enumerate((INSIDE, np.ones_like(INSIDE)))
    ]
    equivariance = np.mean([one[0] for one in images])
    cross, low = (np.mean([one[place] for one in images], axis=0) for place in (1, 2))
    expected = [equivariance, cross[0], low[0] / 2, cross[1], low[1] / 2]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    same = Equivariance()
    same(LABELS, [maps[0], maps[0]], refined, LABELS, padded)
    assert float(same.losses[0]) == 0


@pytest.mark.parametrize("backbone", ["tiny", "mobilenet_0.25"])
def test_the_loss_is_that_of_both_views_step_by_step(images, padded, build, backbone):
    """From the image to every loss by the loops, the class maps alone by the network."""
    model = build("seam", backbone=backbone, view_scale=0.5)
    grid = explainers.create("cam", model=model).grid
    margins = [
        (16 * max(math.ceil(n), 0), 16 * max(math.ceil(-n), 0)) for n in np.array(grid.displacement_hw) / 16
    ]
    assert any(map(any, margins))  # both networks look aside
    wide, smaller_valid = zip(*(seam.smaller_view(*one, 0.5, margins) for one in zip(images, padded)))
    views = [images, np.array(wide, "float32")]
    kernel = model.correlation.kernel.numpy()
    context = keras.Model(model.input, model.refined_maps().get_layer("correlation").input[1])
    insides = [[INSIDE, np.ones((4, 6), bool)], [looking(v, grid, margins) for v in smaller_valid]]
    maps, refined, logits = [], [], []
    for view, inside in zip(views, insides):
        found = layer_maps(model, view)
        maps.append(found)
        pairs = list(zip(found, inside, context(view).numpy()))
        logits += [class_map_heads.mean_inside(m, cells) for m, cells, _ in pairs]
        refined.append(
            [
                seam.correlated(seam.strongest_class(m, cells), features, kernel, cells)
                for m, cells, features in pairs
            ]
        )
    place = {"cells_hw": (4, 6), "size_hw": (64, 96), "scale": 0.5, "grid": grid, "margins": margins}
    maps[1], refined[1] = (
        [seam.on_image_cells(one, **place) for one in some] for some in (maps[1], refined[1])
    )
    each = [
        seam.losses([m[b] for m in maps], [r[b] for r in refined], LABELS[b], insides[0][b]) for b in range(2)
    ]
    cross, low = (np.mean([one[part] for one in each], axis=0) for part in (1, 2))
    expected = [np.mean([one[0] for one in each]), cross[0], low[0] / 2, cross[1], low[1] / 2]

    trained = model.to_train()
    trained.compile(loss=model.training_loss(), run_eagerly=True)
    one = tf.data.Dataset.from_tensors(((images, padded), LABELS)).map(model.example)
    truth = np.concatenate([LABELS, LABELS])
    np.testing.assert_array_equal(next(iter(one))[1], truth)
    total = float(trained.evaluate(one, verbose=0))
    np.testing.assert_allclose(trained([images, padded, LABELS]), logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose([float(loss) for loss in model.equivariance.losses], expected, rtol=2e-3)
    logits = np.array(logits)
    costs = np.maximum(logits, 0) - logits * truth + np.log1p(np.exp(-np.abs(logits)))
    np.testing.assert_allclose(total, costs.mean() + sum(expected), rtol=1e-3)


def looking(valid, grid, margins):
    """Tell which cells of a smaller view look at a valid pixel, to half a pixel."""
    cells_hw = [math.ceil((side + sum(pair)) / 16) for side, pair in zip(valid.shape, margins)]
    result = np.zeros(cells_hw, bool)
    for i in range(cells_hw[0]):
        for j in range(cells_hw[1]):
            places = [
                stride * cell + centre - before
                for cell, stride, centre, (before, _) in zip((i, j), grid.stride_hw, grid.centre_hw, margins)
            ]
            inside = all(-0.5 <= place < side - 0.5 for place, side in zip(places, valid.shape))
            result[i, j] = inside and valid[tuple(int(place + 0.5) for place in places)] > 0
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "labels"),
    [(None, [[1, 1, 0], [0, 1, 1]]), ("softmax", [[0, 0, 1], [1, 0, 0]])],
    ids=["several", "one"],
)
def test_training_lowers_all_of_the_loss(images, padded, activation, labels, build):
    """Of the steps themselves: the two images' statistics would be those of the smaller view alone."""
    model = build("seam", activation=activation, dropout=0.0)
    trained = model.to_train()
    trained.compile(keras.optimizers.Adam(0.003), loss=model.training_loss(), run_eagerly=True)
    inputs, targets = model.example((images, padded), np.array(labels, "float32"))
    losses = [float(trained.train_on_batch(inputs, targets)) for _ in range(8)]
    assert losses[-1] < 0.8 * losses[0], losses


def test_where_the_gradients_go(model, images, padded):
    trained = model.to_train()
    context = [v for layer in (*model.context, model.correlation) for v in layer.trainable_variables]
    backbone = model.get_layer("block_5_conv").trainable_variables
    classes = model.get_layer("class_maps").trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        logits = tf.reduce_sum(trained([images, padded, LABELS]))
        agree, *cross = model.equivariance.losses
        cross = tf.add_n(cross)
    assert all(np.abs(g).max() > 0 for g in tape.gradient(agree, backbone + classes))
    assert all(np.abs(g).max() > 0 for g in tape.gradient(cross, context))
    # What the correlation spreads is a constant, and so are the levels that it sees.
    assert tape.gradient(cross, backbone + classes) == [None] * 2
    assert tape.gradient(agree, context) == tape.gradient(logits, context) == [None] * 3


@pytest.mark.parametrize(
    "backbone", ["tiny", "mobilenet_0.25", pytest.param("resnet50", marks=pytest.mark.slow)]
)
def test_the_smaller_view_shows_all_of_the_image_in_its_place(backbone):
    """A map that is the cell's place in its own view becomes, on the image's cells, the place in the image."""
    full = backbones.create(backbone, 16)
    grid = grids(full)[id(full.output["level_5"])]
    place_of = {"scale": 0.3, "stride_hw": grid.stride_hw, "centre_hw": grid.centre_hw}
    layer = OnImageCells(**place_of)
    stride, centre, margin = grid.stride_hw[0], grid.centre_hw[0], layer.margins[0]
    for size in (160, 97):
        image = np.zeros((1, size, size, 3), "float32")
        view, _ = SmallerView(**place_of)(image, image[..., 0])
        side, cells = int(0.3 * size + 0.5), -(-size // 16)
        assert view.shape[1] == side + sum(margin)
        small = stride * np.arange(-(-view.shape[1] // 16)) + centre - margin[0]
        rows = (small[None, :, None, None] * np.ones((1, len(small), len(small), 1))).astype("float32")
        found = layer(rows, np.zeros((1, cells, cells, 1), "float32"), image).numpy()[0, :, 0, 0]
        wanted = (stride * np.arange(cells) + centre + 0.5) * side / size - 0.5
        seen = (
            stride * np.arange(cells) + centre < size
        )  # the last cells of a displaced map look beyond the image
        np.testing.assert_allclose(found[seen], np.clip(wanted[seen], small[0], small[-1]), atol=1e-3)
        assert small[0] <= 0 and small[-1] >= side - 1


def test_images_without_labels_and_without_cells(model, images):
    trained = model.to_train()
    trained([images, np.ones((2, 64, 96), "float32"), 0 * LABELS])
    agree, *others = (float(loss) for loss in model.equivariance.losses)
    assert agree == 0 and others == [0, 0, 0, 0]
    trained([images, np.zeros((2, 64, 96), "float32"), LABELS])
    assert all(float(loss) == 0 for loss in model.equivariance.losses)


def test_a_network_of_one_size_cannot_be_trained(build):
    fixed = build("seam", input_size=(64, 96))
    assert fixed.refined_maps().output_shape == (None, 4, 6, 3)
    with pytest.raises(InputError, match=r"images of two sizes, but accepts only \(64, 96\); train one with"):
        fixed.to_train()


def test_explained(model, images):
    explainer = explainers.create("seam", model=model)
    refined = model.refined_maps()(images).numpy()
    found = explainer.raw(images, [[0, 2], [1, -1]])
    np.testing.assert_allclose(found[0], refined[0].transpose(2, 0, 1)[[0, 2]], atol=1e-5)
    np.testing.assert_allclose(found[1, 0], refined[1, ..., 1], atol=1e-5)
    assert not found[1, 1].any()
    assert explainer.grid == explainers.create("cam", model=model).grid is not None
    plain = explainers.create("cam", model=model).raw(images, [[0, 2], [1, -1]])
    np.testing.assert_allclose(plain[0], layer_maps(model, images)[0].transpose(2, 0, 1)[[0, 2]], atol=1e-4)
    with pytest.raises(
        InputError, match="`layer`: `seam` explains the class maps `class_maps`; got 'pooling'"
    ):
        explainers.create("seam", model=model, layer="pooling")
    with pytest.raises(InputError, match="class indices only; use `grad_cam`"):
        explainer.raw(images, lambda output: output[:, 0])


def test_other_models_and_options(build):
    with pytest.raises(
        InputError, match=r"`seam` shows the refined maps .* `gap_classifier` is of another kind"
    ):
        explainers.create("seam", model=build("gap"))
    with pytest.raises(InputError, match="`view_scale` must be a number in"):
        build("seam", view_scale=1.0)
