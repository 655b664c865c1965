"""FCN: offsets from geometry, the head against a slow twin, stages, published counts, sizes, saving, learning."""

import keras
import numpy as np
import pytest
from examples.segmenter_checks import check_head, check_mixed_precision_types, check_saving
from references.caffe_layers import deconvolution

from wsseg import segmenters
from wsseg.backbones.alignment import grids
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.segmenters.fcn import IMAGE_OFFSETS, SKIPS

STRIDES = (32, 16, 8)


def build(stride=8, **options):
    keras.utils.set_random_seed(0)
    return segmenters.create(
        f"fcn_{stride}s", **{"num_classes": 3, "channels": 8, "padding": "same"} | options
    )


def randomise(model):
    """Give all score and upsampling layers (zero or bilinear to begin with) random weights."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.name.startswith(("score", "upscore")):
            layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])


def images_of(*size_hw):
    return np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype("float32")


def part(model, *names):
    return keras.Model(model.input, {name: model.get_layer(name).output for name in names})


@pytest.fixture(scope="module")
def published():
    model = build(padding="published")
    randomise(model)
    return model


@pytest.fixture(scope="module")
def same():
    model = build()
    randomise(model)
    return model


@pytest.mark.parametrize("padding", ["published", "same"])
@shapes_only()
def test_offsets_are_where_the_cells_look(padding):
    # The released networks' crops, 19; 5, 27; 5, 9, 31, follow from the centres of the cells alone.
    model = build(padding=padding, input_size=(224, 224))
    places = grids(part(model, "drop7", "block4_pool", "block3_pool"))
    centre = {name: places[id(model.get_layer(name).output)].centre_hw[0] for name in ("drop7", *POOLED)}
    stride, start = 32, centre["drop7"]  # cell i of the scores looks at pixel stride * i + start
    assert IMAGE_OFFSETS[padding][32] == 32 - 0.5 - start
    for skip, finer in (("pool4", 16), ("pool3", 8)):
        pool, _, offsets = SKIPS[skip]
        # Cell 0 lies at 1.5 of the upscored map, whose cells are `finer` apart.
        first = start - 1.5 * finer
        ahead = (first - centre[pool]) / finer  # cells of the skip before the upscored map's first
        assert ahead == (offsets[padding] if padding == "published" else -offsets[padding])
        stride, start = finer, first if padding == "published" else centre[pool]
        assert IMAGE_OFFSETS[padding][stride] == stride - 0.5 - start


POOLED = ("block4_pool", "block3_pool")


@shapes_only()
def test_published_sizes():
    # The released FCN-8s at 500 x 500: 22 cells of pool5, 16 of fc7.
    model = build(padding="published", input_size=(500, 500))
    sides = {
        name: model.get_layer(name).output.shape[1]
        for name in (
            "block1_conv1",
            "block3_pool",
            "block4_pool",
            "block5_pool",
            "fc6",
            "upscore2",
            "upscore8",
        )
    }
    assert sides == {
        "block1_conv1": 698,
        "block3_pool": 88,
        "block4_pool": 44,
        "block5_pool": 22,
        "fc6": 16,
        "upscore2": 34,
        "upscore8": 568,
    }
    assert model.output_shape == (None, 500, 500, 3)


@pytest.mark.parametrize("padding", ["published", "same"])
@shapes_only()
def test_every_size_from_one_pixel_fits_the_crops(padding):
    # Only shapes: every remainder modulo 32, at which all poolings repeat.
    for stride in STRIDES:
        model = build(stride, padding=padding)
        for side in range(1, 17) if stride == 8 else (1, 13):
            size_hw = (side, 33 - side)
            assert model.compute_output_shape((None, *size_hw, 3)) == (None, *size_hw, 3)


@pytest.mark.parametrize("size_hw", [(1, 1), (33, 50)])
def test_any_size_in_gives_the_same_size_out(published, same, size_hw):
    for model in (published, same):
        assert model.output_shape == (None, None, None, 3)
        logits = model(images_of(*size_hw))
        assert logits.shape == (1, *size_hw, 3) and np.isfinite(logits).all()


def test_fixed_size_gives_the_same_as_any_size(same):
    fixed = build(input_size=(65, 71))
    fixed.set_weights(same.get_weights())
    expected = same(images_of(65, 71)).numpy()
    np.testing.assert_allclose(
        fixed(images_of(65, 71)), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )


def test_head_is_the_sum_of_the_slow_twins(published):
    names = ("drop7", *POOLED)
    maps = {name: x[0].numpy() for name, x in part(published, *names)(images_of(20, 41)).items()}

    def score(features, name):
        kernel, bias = published.get_layer(name).get_weights()
        return features @ kernel[0, 0] + bias

    def upscore(scores, name, factor):
        return deconvolution(scores, published.get_layer(name).get_weights()[0], factor)

    x = upscore(score(maps["drop7"], "score_fr"), "upscore2", 2)
    x = x + score(maps["block4_pool"], "score_pool4")[5 : 5 + x.shape[0], 5 : 5 + x.shape[1]]
    x = upscore(x, "upscore_pool4", 2)
    x = x + score(maps["block3_pool"], "score_pool3")[9 : 9 + x.shape[0], 9 : 9 + x.shape[1]]
    expected = upscore(x, "upscore8", 8)[31:51, 31:72]
    scale = np.abs(expected).max()
    assert scale > 1
    np.testing.assert_allclose(published(images_of(20, 41))[0], expected, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize(("padding", "side"), [("published", 58), ("same", 64)])
@pytest.mark.parametrize("stride", [8, *(pytest.param(n, marks=pytest.mark.slow) for n in STRIDES if n > 8)])
def test_mirrored_kernels_and_image_give_mirrored_scores(padding, side, stride):
    # Only so if padding, poolings, upsampling and crops are centred: at sides where no pooling rounds up.
    model = build(stride, padding=padding)
    randomise(model)
    mirrored = build(stride, padding=padding)
    for layer, twin in zip(model.layers, mirrored.layers):
        twin.set_weights([w[:, ::-1] if w.ndim == 4 else w for w in layer.get_weights()])
    image = images_of(32, side) if padding == "same" else images_of(1, side)
    logits = model(image).numpy()
    assert logits.std() > 0
    np.testing.assert_allclose(
        mirrored(image[:, :, ::-1])[:, :, ::-1], logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max()
    )


@shapes_only()
def test_published_parameters():
    # VGG-16 without its top, fc6 and fc7; 1x1 scores of fc7, pool4, pool3; kernels 4, 4, 16 from all to all classes.
    model = build(num_classes=21, channels=4096, padding="published", input_size=(64, 64))
    fully_connected = (7 * 7 * 512 + 1) * 4096 + (4096 + 1) * 4096
    assert fully_connected == 102_764_544 + 16_781_312
    scores = (4096 + 1 + 512 + 1 + 256 + 1) * 21
    upsampling = (4 * 4 + 4 * 4 + 16 * 16) * 21 * 21
    assert model.count_params() == 14_714_688 + fully_connected + scores + upsampling == 134_489_759
    fixed = sum(np.prod(weight.shape) for weight in model.non_trainable_weights)
    assert fixed == 16 * 16 * 21 * 21
    assert (model.get_layer("fc6").kernel.shape, model.get_layer("fc7").kernel.shape) == (
        (7, 7, 512, 4096),
        (1, 1, 4096, 4096),
    )


@shapes_only()
def test_on_torchvisions_vgg_only_the_preprocessing_differs():
    model = build(backbone="vgg16_torch")
    assert model.options["backbone"] == "vgg16_torch"
    assert model.get_layer("image_preprocessing").mode == "torch"
    assert [layer.name for layer in model.layers] == [layer.name for layer in build().layers]


def test_initial_values():
    model = build()
    for name in ("score_fr", "score_pool4", "score_pool3"):
        assert not np.any(model.get_layer(name).get_weights()[0])
    assert [model.get_layer(f"upscore{n}").trainable for n in ("2", "_pool4", "8")] == [True, True, False]
    kernel = model.get_layer("upscore2").get_weights()[0]
    line = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(kernel[:, :, 1, 1], line[:, None] * line)
    assert not kernel[:, :, 0, 1].any()


@pytest.mark.slow
def test_each_stage_begins_with_the_predictions_of_the_one_before(tmp_path):
    coarse = build(32)
    rng = np.random.default_rng(2)
    coarse.get_layer("score_fr").set_weights(
        [rng.normal(size=w.shape) for w in coarse.get_layer("score_fr").weights]
    )
    coarse.save(tmp_path / "fcn_32s.keras")
    finer = build(16, weights=tmp_path / "fcn_32s.keras")
    image = images_of(64, 96)
    scores = part(coarse, "score_fr")(image)["score_fr"][0].numpy()
    assert np.abs(scores).max() > 0.1
    bilinear = np.array([0.25, 0.75, 0.75, 0.25])
    kernel = np.einsum("y,x,io->yxio", bilinear, bilinear, np.eye(3))
    expected = deconvolution(scores, kernel, 2)[1:5, 1:7]  # pool4 has 4 x 6 cells
    np.testing.assert_allclose(
        part(finer, "fuse_pool4")(image)["fuse_pool4"][0], expected, rtol=1e-4, atol=1e-4
    )
    # And 8s from 16s: its learnt upsampling and skip too.
    randomise(finer)
    finer.save(tmp_path / "fcn_16s.keras")
    finest = build(8, weights=tmp_path / "fcn_16s.keras")
    for name in ("block1_conv1", "fc6", "fc7", "score_fr", "upscore2", "score_pool4"):
        for own, source in zip(finest.get_layer(name).get_weights(), finer.get_layer(name).get_weights()):
            np.testing.assert_array_equal(own, source)


def test_head_is_all_that_is_not_vgg(same):
    head = check_head(same)
    assert {path.split("/")[0] for path in head} == {
        *("score_fr", "score_pool4", "score_pool3", "upscore2", "upscore_pool4")
    }
    backbone = {v.path for v in same.trainable_variables} - set(head)
    assert {"fc6/kernel", "block1_conv1/kernel"} <= backbone


def test_save_and_load(tmp_path):
    check_saving(build(padding="published"), tmp_path, (5, 9))


def test_logits_are_float32_in_mixed_precision():
    check_mixed_precision_types(lambda: build(input_size=(64, 64)), fc6="float16", upscore8="float32")


@shapes_only()
def test_wrong_options():
    with pytest.raises(
        InputError, match="must be vgg16 or vgg16_torch; got 'resnet50'; `fcn_resnet50` is FCN on a ResNet"
    ):
        build(backbone="resnet50")
    with pytest.raises(InputError, match="`padding` must be 'published' or 'same'; got 'valid'"):
        build(padding="valid")
    with pytest.raises(InputError, match="`input_size` must be"):
        build(input_size=(0, 64))
    with pytest.raises(InputError, match="`num_classes` counts the background"):
        build(num_classes=1)
    with pytest.raises(InputError, match="has no option `stride`"):
        segmenters.create("fcn_8s", num_classes=2, stride=4)
