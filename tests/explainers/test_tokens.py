"""Vision transformers: where tokens see is found out; Grad-CAM's family on tokens equals loops in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples import transformers
from examples.transformers import GRID_HW, SIZE_HW, Reordered, transformer
from keras import layers
from references import gradient_cams
from references.class_maps import grad_cam
from references.vision_transformer import VisionTransformer, weights_of

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.token_layout import Layout, rows_first
from wsseg.explainers.token_places import measured_layout
from wsseg.grid import Grid

# Random weights often leave no evidence above 0; the test of the warning asks for it.
pytestmark = pytest.mark.filterwarnings("ignore:.*maps at .* are empty")

IMAGES = np.random.default_rng(0).uniform(0, 1, (2, *SIZE_HW, 3)).astype("float32")
BLOCKS = Grid((8.0, 8.0), (3.5, 3.5))

BUILDS = {
    "class token": ({}, 1, "norm_1"),
    "no class token": ({"first": 0, "head": "mean"}, 0, "norm_1"),
    "patches of unknown number, flattened": (
        {"cut": "extracted", "first": 0, "head": "flatten"},
        0,
        "norm_1",
    ),
    "class and distillation": ({"first": 2}, 2, "norm_1"),
    "registers behind": ({"last": 3}, 1, "norm_1"),
    "norm after attention": ({"body": "after"}, 1, "second_norm_0"),
    "blocks as layers": ({"body": "block"}, 1, "block_1.first"),
    "all blocks in a layer": ({"body": "encoder"}, 1, "block_1.first"),
    "all blocks in a nested model": ({"body": "nested"}, 1, "norm_1"),
    "own softmax": ({"body": "operation"}, 1, "block_1.first"),
    "whole numbers": ({"dtype": "uint8"}, 1, "norm_1"),
}


def layout_of(explainer):
    return explainer.network.layout


@pytest.mark.parametrize("name", BUILDS)
def test_the_tokens_before_the_last_attention_row_by_row(name):
    options, first, layer = BUILDS[name]
    explainer = explainers.create("grad_cam", model=transformer(**options))
    layout = layout_of(explainer)
    assert explainer.layer == layer and explainer.grid == BLOCKS
    np.testing.assert_array_equal(layout.order, np.arange(24).reshape(GRID_HW) + first)


@pytest.mark.parametrize("order", ["columns", "fixed"])
def test_another_order_is_measured(order):
    explainer = explainers.create("grad_cam", model=transformer(order=order))
    moved = Reordered(order)(np.arange(24.0)[None]).numpy()[0].astype(int)  # patch of each token
    np.testing.assert_array_equal(layout_of(explainer).order.ravel() - 1, np.argsort(moved))
    assert explainer.grid == BLOCKS


def test_overlapping_patches_are_placed_by_single_tokens():
    explainer = explainers.create("grad_cam", model=transformer(cut="overlapping", blocks=1))
    np.testing.assert_array_equal(layout_of(explainer).order, np.arange(24).reshape(GRID_HW) + 1)
    # The pooling of stride 2 pads at the end: its cell i looks at 2 i + 1, and four of these make a token.
    np.testing.assert_allclose(explainer.grid.centre_hw, (4, 4), atol=1e-3)
    np.testing.assert_allclose(explainer.grid.stride_hw, (8, 8), atol=1e-3)


def test_patches_that_leave_a_border_of_a_standardised_image():
    # Standardising lets each token see all pixels, faintly; patches of 8 leave the last rows and columns out.
    image = keras.Input((30, 45, 3))
    x = layers.Lambda(tf.image.per_image_standardization)(image)
    x = transformers.plain_block(transformers.patches(x))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))
    explainer = explainers.create("grad_cam", model=model)
    np.testing.assert_array_equal(layout_of(explainer).order, np.arange(15).reshape(3, 5))
    assert explainer.grid == BLOCKS


def test_tokens_drawn_at_random_are_refused_even_with_a_grid():
    model = transformer(order="random")
    for options in ({"layer": "end_0"}, {"reshape": (4, 6)}):
        with pytest.raises(InputError, match="another order, or are others, at each call"):
            explainers.create("grad_cam", model=model, **options)
    assert explainers.create("grad_cam", model=model).layer == "embedding"  # what has a place


def test_a_pixel_lights_the_cell_that_sees_it():
    # Tokens in a fixed disorder; the score is the first channel of all tokens' sum before any attention.
    image = keras.Input((*SIZE_HW, 3))
    tokens = Reordered("fixed", name="tokens")(transformers.patches(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(tokens)))
    model.get_layer("embedding").set_weights([np.ones((8, 8, 3, 16)), np.zeros(16)])
    model.layers[-1].set_weights([np.ones((16, 3)), np.zeros(3)])
    picture = np.zeros((1, *SIZE_HW, 3), "float32")
    picture[0, 17, 42] = 1
    found = explainers.create("grad_cam", model=model, layer="tokens").raw(picture, [0])[0]
    assert np.argwhere(found).tolist() == [[2, 5]]


TWINS = {
    "grad_cam": grad_cam,
    "hires_cam": gradient_cams.hires_cam,
    "layer_cam": gradient_cams.layer_cam,
    "xgrad_cam": gradient_cams.xgrad_cam,
    "counterfactual": gradient_cams.counterfactual,
    "eigen_cam": gradient_cams.eigen_cam,
}


@pytest.fixture(scope="module")
def small():
    model = transformer(size_hw=(16, 24))
    generator = np.random.default_rng(1)
    for weight in model.weights:
        if "seed" not in weight.path:
            centre = 1 if weight.name == "gamma" else 0
            weight.assign(generator.normal(centre, 0.4 if len(weight.shape) < 4 else 0.1, weight.shape))
    return model


@pytest.mark.parametrize("name", TWINS)
def test_equals_the_loops(name, small):
    twin = VisionTransformer(weights_of(small))
    image = IMAGES[0, :16, :24]
    found = explainers.create(name, model=small).raw(image[None], [[0, 1, 2]])[0]
    before = twin.block(twin.tokens(image), 0)
    tokens = twin.normed(before, "norm_1")

    def score(cells, target):
        read = np.concatenate([tokens[:1], cells.reshape(6, -1)])
        return twin.score(before, target, start=1, read=read)

    expected = [
        TWINS[name](tokens[1:].reshape(2, 3, -1), lambda cells, target=target: score(cells, target))
        for target in range(3)
    ]
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_grad_cam_of_a_layer_inside_layers_equals_a_tape():
    model = transformer(body="encoder")
    encoder, (first, second) = model.get_layer("encoder"), model.get_layer("encoder").blocks
    given = keras.Model(model.input, model.get_layer("positions").output)(IMAGES)
    before = first(given)
    normed = second.first(before)
    with tf.GradientTape() as tape:
        tape.watch(normed)
        x = before + second.attention(normed, normed)
        x = x + second.dense[1](second.dense[0](second.second(x)))
        logits = model.get_layer("logits")(encoder.norm(x)[:, 0])[:, 1]
    gradient = tape.gradient(logits, normed).numpy()[:, 1:]
    weights = gradient.mean(axis=1)
    expected = np.maximum(np.einsum("bnc,bc->bn", normed.numpy()[:, 1:], weights), 0).reshape(2, *GRID_HW)
    assert expected.max() > 0
    for options in ({}, {"layer": "block_1.first"}):
        explainer = explainers.create("grad_cam", model=model, **options)
        assert explainer.layer == "block_1.first"
        # Grappler's fused GELU differs from the eager one by more than rounding.
        found = explainer.raw(IMAGES, [1, 1])
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2 * expected.max())
    with pytest.raises(InputError, match=r"layers are named `first`; choose one of .*block_1\.first"):
        explainers.create("grad_cam", model=model, layer="first")


@pytest.mark.parametrize("name", ["score_cam", "ablation_cam", "grad_cam_pp"])
def test_the_other_cams_take_tokens(name, small):
    found = explainers.create(name, model=small)(IMAGES[:, :16, :24], [0, 1])
    assert found.shape == (2, 16, 24) and np.isfinite(found).all()


def test_a_layer_behind_which_only_the_class_token_is_read_is_refused(small):
    for name, layer in (("grad_cam", "end_1"), ("ablation_cam", "final")):
        explainer = explainers.create(name, model=small, layer=layer)
        with pytest.raises(InputError, match=rf"does not depend on the patches' tokens at `{layer}`"):
            explainer(IMAGES[:, :16, :24], [0, 1])
    assert explainers.create("eigen_cam", model=small, layer="final")(IMAGES[:, :16, :24], [0, 1]).any()


def test_an_empty_map_is_not_silent():
    image = keras.Input((16, 24, 3))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(transformers.patches(image))))
    model.get_layer("embedding").set_weights([np.ones((8, 8, 3, 16)), np.zeros(16)])
    model.layers[-1].set_weights([-np.ones((16, 3)), np.zeros(3)])
    explainer = explainers.create("grad_cam", model=model, layer=model.layers[2].name)
    with pytest.warns(UserWarning, match=r"2 of 2 maps at .* are empty"):
        assert not explainer(IMAGES[:, :16, :24], [0, 1]).any()


def test_reshape(small):
    images = IMAGES[:, :16, :24]
    expected = explainers.create("grad_cam", model=small).raw(images, [0, 1])
    for reshape in ((2, 3), lambda x: keras.ops.reshape(x[:, 1:], (-1, 2, 3, 16))):
        explainer = explainers.create("grad_cam", model=small, reshape=reshape)
        np.testing.assert_array_equal(explainer.raw(images, [0, 1]), expected)
        assert explainer.grid == BLOCKS
    for reshape, said in (
        ((3, 2), r"as a grid of \(3, 2\), but by their gradients"),
        ((7, 1), r"as a grid of \(7, 1\), but by their gradients"),
        ((3, 3), "the layer has only 7 tokens"),
        ("2x3", "must be"),
        ((2.0, 3), "must be"),
        (lambda x: keras.ops.reshape(x[:, 1:] * 2, (-1, 2, 3, 16)), "changes or repeats tokens"),
        (lambda x: x[:, 1:], r"must return \(1, h, w, 16\)"),
        (lambda x: keras.ops.reshape(x, (-1, 2, 3, 16)), "`reshape` fails"),
    ):
        with pytest.raises(InputError, match=said):
            explainers.create("grad_cam", model=small, reshape=reshape)


def mixing():
    """Patches that all see the whole image."""
    image = keras.Input((*SIZE_HW, 3))
    x = layers.Dense(24)(layers.Permute((2, 1))(layers.Reshape((24, 192))(transformers.Patches()(image))))
    x = layers.Dense(16, name="tokens")(layers.Permute((2, 1))(x))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def test_where_nothing_shows_the_grid_it_must_be_given():
    class Mixed(layers.Layer):
        def call(self, images):
            rows = keras.ops.reshape(images, (keras.ops.shape(images)[0], -1))
            mixed = keras.ops.fft((rows, keras.ops.zeros_like(rows)))[0]
            return keras.ops.reshape(mixed, (-1, 24, 192))

    image = keras.Input((*SIZE_HW, 3))
    x = layers.Dense(16, name="tokens")(Mixed()(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))
    with pytest.raises(InputError, match=r"give `reshape=\(h, w\)`.*`occlusion`, `rise`"):
        explainers.create("grad_cam", model=model)
    explainer = explainers.create("layer_cam", model=model, reshape=(4, 6))
    with pytest.warns(UserWarning, match="the distances of its tokens could not be measured"):
        assert explainer(IMAGES, [0, 0]).shape == (2, *SIZE_HW)
    assert explainer.grid is None


def test_tokens_that_are_mixed_keep_the_order_of_the_first_tokens():
    with pytest.warns(UserWarning, match="sees more than a patch.*taken to keep their order"):
        explainer = explainers.create("layer_cam", model=mixing())
    np.testing.assert_array_equal(layout_of(explainer).order, np.arange(24).reshape(GRID_HW))


def test_subclassed_models_show_their_tokens_with_the_first_images():
    keras.utils.set_random_seed(0)
    model = transformers.Subclassed()
    explainer = explainers.create("layer_cam", model=model)
    found = explainer(IMAGES, [0, 1])
    assert found.shape == (2, *SIZE_HW) and explainer.layer == "block_1.first" and explainer.grid == BLOCKS
    named = explainers.create("layer_cam", model=model, layer="block_1.first", reshape=GRID_HW)
    assert named(IMAGES, [0, 1]).shape == (2, *SIZE_HW)


def test_images_of_several_sizes():
    class AnySize(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed, self.block = layers.Conv2D(16, 8, strides=8), transformers.Block()
            self.head = layers.Dense(3)

        def call(self, images):
            x = self.embed(images)
            x = self.block(keras.ops.reshape(x, (keras.ops.shape(x)[0], -1, 16)))
            return self.head(keras.ops.mean(x, axis=1))

    explainer = explainers.create("hires_cam", model=AnySize())
    for size in ((1, 32, 48), (1, 32, 32), (2, 48, 32), (3, 32, 48)):
        images = np.random.default_rng(0).uniform(0, 1, (*size, 3))
        assert explainer.raw(images, [0] * size[0]).shape == (size[0], size[1] // 8, size[2] // 8)
        assert explainer.grid == BLOCKS


def test_windows_are_explained_at_the_last_blocks_tokens():
    explainer = explainers.create("layer_cam", model=transformers.windows())
    assert explainer.layer == "window_0" and explainer.grid == BLOCKS


def test_a_model_without_anything_to_explain_names_methods_that_work():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(image)))
    with pytest.raises(InputError, match=r"`occlusion`, `rise`, `integrated_gradients` and `smooth_grad`"):
        explainers.create("grad_cam", model=model)


def test_layouts_replace_the_cells_only():
    layout = Layout(np.array([[3, 1], [0, 4]], np.int32), 5, None)
    tokens = np.arange(10.0, dtype="float32").reshape(1, 5, 2)
    cells = layout.cells(tokens).numpy()
    np.testing.assert_array_equal(cells[0, :, :, 0], [[6, 2], [0, 8]])
    np.testing.assert_array_equal(layout.replaced(tokens, cells), tokens)
    np.testing.assert_array_equal(layout.replaced(tokens, cells * 0)[0, :, 0], [0, 0, 4, 0, 0])
    assert Layout(rows_first(4, (2, 2)), 4, None).all_placed and not layout.all_placed


@pytest.mark.parametrize("fault", ["missing", "everywhere", "scattered", "nothing"])
def test_no_grid_is_invented(fault):
    sees = np.zeros((24, *SIZE_HW))
    for token, (row, column) in enumerate(np.ndindex(GRID_HW)):
        sees[token, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
    assert measured_layout(lambda weights: np.tensordot(weights, sees, 1), 24).grid == BLOCKS
    if fault == "missing":
        sees[5] = 0
    elif fault == "everywhere":
        sees[:] = 1
    elif fault == "scattered":
        flat = np.random.default_rng(0).permutation(24)[np.arange(32 * 48) % 24].reshape(SIZE_HW)
        sees = (flat == np.arange(24)[:, None, None]).astype(float)
    else:
        sees[:] = 0
    assert measured_layout(lambda weights: np.tensordot(weights, sees, 1), 24) is None
