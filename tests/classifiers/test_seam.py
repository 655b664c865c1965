"""SEAM's maps and losses against loops in NumPy, where its gradients go, and the place of the smaller view."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from references import seam
from references.class_map_heads import cells_inside

from wsseg import classifiers, explainers
from wsseg.classifiers.equivariance import Equivariance
from wsseg.classifiers.strongest_class import StrongestClass
from wsseg.errors import InputError
from wsseg.explainers.placement import placed

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


def test_the_loss_is_that_of_both_views_and_the_regularisation(model, images, padded):
    trained = model.to_train()
    trained.compile(loss=model.training_loss(), run_eagerly=True)
    one = tf.data.Dataset.from_tensors(((images, padded), LABELS)).map(model.example)
    truth = np.concatenate([LABELS, LABELS])
    np.testing.assert_array_equal(next(iter(one))[1], truth)
    found = float(trained.evaluate(one, verbose=0))
    logits = trained([images, padded, LABELS]).numpy().astype(float)
    own = sum(float(loss) for loss in model.equivariance.losses)
    assert len(model.equivariance.losses) == 5 and own > 0
    each = np.maximum(logits, 0) - logits * truth + np.log1p(np.exp(-np.abs(logits)))
    np.testing.assert_allclose(found, each.mean() + own, rtol=1e-4)
    # The second view's logits are those of the smaller images.
    small = np.asarray(tf.image.resize(images, (19, 29)))
    np.testing.assert_allclose(logits[3], model(small)[1], rtol=1e-3, atol=1e-4)


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


@pytest.mark.parametrize("backbone", ["tiny", "mobilenet_0.25"])
def test_the_smaller_views_cells_lie_where_the_images_look(backbone):
    """A map that is the cell's place in its own image is, enlarged, the place in the whole image."""
    from wsseg.backbones import alignment, create

    model = classifiers.create(
        "seam", backbone=backbone, num_classes=1, input_size=(160, 160), view_scale=0.5
    )
    full = create(backbone, 16, input_size=(160, 160))
    grid = alignment.grids(full)[id(full.output["level_5"])]
    stride, centre = grid.stride_hw[0], grid.centre_hw[0]
    pixels = stride * np.arange(5) + centre  # of the smaller view's five cells, in its own pixels
    small = np.broadcast_to(pixels[:, None, None], (5, 5, 1))[None].astype("float32")
    found = model.enlarged([small, np.zeros((1, 10, 10, 1), "float32")]).numpy()[0, :, 0, 0]
    wanted = (stride * np.arange(10) + centre + 0.5) * 0.5 - 0.5
    between = (wanted >= pixels[0]) & (wanted <= pixels[-1])  # beyond, the last cell is repeated
    assert between.sum() >= 7
    np.testing.assert_allclose(found[between], wanted[between], atol=1e-3)


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
        InputError, match="`layer`: `seam` refines the class maps `class_maps`; got 'pooling'"
    ):
        explainers.create("seam", model=model, layer="pooling")
    with pytest.raises(InputError, match="class indices only; use `grad_cam`"):
        explainer.raw(images, lambda output: output[:, 0])


def test_other_models_and_options(build):
    with pytest.raises(InputError, match=r"`seam` shows the refined maps .* `gap_classifier` is another"):
        explainers.create("seam", model=build("gap"))
    with pytest.raises(InputError, match="`view_scale` must be a number in"):
        build("seam", view_scale=1.0)
