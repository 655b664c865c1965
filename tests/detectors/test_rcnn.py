"""Faster and Mask R-CNN as wholes."""

import keras
import numpy as np
import pytest

from wsseg import detectors
from wsseg.backbones.shapes_only import shapes_only
from wsseg.detectors.inference import detect
from wsseg.errors import InputError
from wsseg.saved_models import load_model

SMALL = {
    "num_classes": 4, "input_size": (64, 96), "backbone": "plain", "channels": 8, "head_channels": 8,
    "proposals": 20, "regions": 16, "detections": 6,
}  # fmt: skip
MASKS = SMALL | {"mask_channels": 8}
ONE_MAP = {"use_pyramid": False, "output_stride": 8, "anchor_sides": (2, 4, 8)}  # 16 to 64 pixels
POOLED = ONE_MAP | {"pooling": "pool", "head_channels": 32}  # as the first Faster R-CNN


@pytest.fixture(scope="module")
def mask_rcnn():
    keras.utils.set_random_seed(0)
    return detectors.create("mask_rcnn", **MASKS)


def batch(random, count=4):
    """Bright rectangles on dark ground, one or two an image, and what they are."""
    images = random.uniform(0, 60, (count, 64, 96, 3)).astype("float32")
    boxes, classes = np.zeros((count, 3, 4), "float32"), np.zeros((count, 3), "int32")
    masks = np.zeros((count, 3, 64, 96), "uint8")
    for image in range(count):
        for number in range(1 + image % 2):
            x, y = random.integers(4, 40) + 44 * number * (image % 2), random.integers(4, 30)
            w, h = random.integers(20, 40), random.integers(20, 30)
            box = x, y, min(x + w, 96), y + h
            label = 1 + (image + number) % 3
            images[image, y : box[3], x : box[2], label - 1] = 250
            boxes[image, number], classes[image, number] = box, label
            masks[image, number, y : box[3], x : box[2]] = 1
    return {"images": images, "boxes": boxes, "classes": classes, "masks": masks}


@shapes_only()
def test_as_many_parameters_as_published():
    """torchvision's `maskrcnn_resnet50_fpn`: 44,401,393, batch norms (26,560 pairs) constants there."""
    model = detectors.create("mask_rcnn", num_classes=91, input_size=(64, 64), backbone="resnet50_torch")
    norms = [layer for layer in model.trunk.layers if isinstance(layer, keras.layers.BatchNormalization)]
    constant = sum(layer.count_params() for layer in norms)
    assert constant == 4 * 26_560
    assert model.count_params() - constant == 44_401_393
    masks = model.mask_head.count_params()
    assert model.count_params() - constant - masks == 41_755_286  # fasterrcnn_resnet50_fpn


@shapes_only()
def test_the_first_faster_rcnn_has_the_parts_of_the_paper():
    model = detectors.create(
        "faster_rcnn", num_classes=21, input_size=(64, 64), backbone="vgg16", use_pyramid=False, pooling="pool",
        channels=512, head_channels=4096,
    )  # fmt: skip
    # VGG-16's convolutions; 3x3x512 and nine anchors; fc6, fc7; classes and boxes.
    parts = [14_714_688, 2_359_808 + 513 * 9 * 5, 25_088 * 4096 + 4096 + 4097 * 4096, 4097 * 21 * 5]
    assert model.count_params() == sum(parts)
    assert {len(one) for one in model._anchors} == {4 * 4 * 9}


def test_outputs_have_the_stated_form(mask_rcnn):
    found = mask_rcnn.predict_on_batch(batch(np.random.default_rng(0))["images"])
    assert {name: value.shape for name, value in found.items()} == {
        "boxes": (4, 6, 4), "scores": (4, 6), "classes": (4, 6), "masks": (4, 6, 28, 28),
    }  # fmt: skip
    there = found["classes"] > 0
    assert there.any() and (found["scores"][there] > 0.05).all() and (found["scores"][~there] == 0).all()
    assert (np.diff(found["scores"], axis=1) <= 0).all()
    boxes = found["boxes"]
    assert (boxes >= 0).all() and (boxes <= [96, 64, 96, 64]).all()
    assert ((boxes[..., 2:] > boxes[..., :2]).all(axis=-1) == there).all()


@pytest.mark.slow
def test_no_proposals_at_all_are_no_detections(mask_rcnn):
    other = mask_rcnn.at_size((64, 96))
    # Every proposal shrinks to nothing.
    other.rpn.get_layer("rpn_boxes").bias.assign(np.tile([0, 0, -200, -200], 3))
    found = other.predict(np.zeros((1, 64, 96, 3)), verbose=0)
    assert not found["classes"].any() and not found["scores"].any()


@pytest.mark.parametrize(
    ("name", "options"), [("mask_rcnn", MASKS | ONE_MAP), ("faster_rcnn", SMALL | POOLED)]
)
def test_of_one_map_it_detects_and_has_losses(name, options):
    keras.utils.set_random_seed(0)
    model = detectors.create(name, **options)
    data = batch(np.random.default_rng(0))
    assert model(data["images"])["boxes"].shape == (4, 6, 4)
    losses = model(data, training=True)
    assert len(losses) == (5 if name == "mask_rcnn" else 4)
    assert all(np.isfinite(loss) and loss > 0 for loss in losses.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "epochs"),
    [("mask_rcnn", MASKS, 25), ("faster_rcnn", SMALL, 25), ("faster_rcnn", SMALL | POOLED, 40)],
)
def test_learns_where_the_rectangles_are(name, options, epochs):
    keras.utils.set_random_seed(0)
    model = detectors.create(name, **options)
    random = np.random.default_rng(0)
    data = batch(random, 8)
    model.compile(keras.optimizers.Adam(0.003))
    history = model.fit(data, batch_size=4, epochs=epochs, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert set(history) == {
        "loss",
        "objectness_loss",
        "proposal_boxes_loss",
        "classes_loss",
        "boxes_loss",
    } | ({"masks_loss"} if name == "mask_rcnn" else set())
    assert history["loss"][-1] == pytest.approx(
        sum(v[-1] for k, v in history.items() if k != "loss"), rel=1e-3
    )
    found = next(detect(model, [data["images"][0].astype("uint8")]))
    assert found.class_ids[0] == data["classes"][0, 0]
    np.testing.assert_allclose(found.boxes_xyxy[0], data["boxes"][0, 0], atol=8)
    assert (found.masks is not None) == (name == "mask_rcnn")


@pytest.mark.slow
def test_an_image_without_objects_can_be_learnt_from():
    keras.utils.set_random_seed(0)
    model = detectors.create("mask_rcnn", **MASKS)
    data = batch(np.random.default_rng(0), 2)
    data["classes"][:], data["boxes"][:], data["masks"][:] = 0, 0, 0
    model.compile(keras.optimizers.SGD(0.01), jit_compile=True)
    history = model.fit(data, batch_size=2, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["masks_loss"] == [0, 0] and history["boxes_loss"] == [0, 0]


def test_saved_and_loaded_it_detects_the_same(mask_rcnn, tmp_path):
    mask_rcnn.save(tmp_path / "model.keras")
    restored = load_model(tmp_path / "model.keras")
    images = batch(np.random.default_rng(1))["images"]
    found, again = (model(images) for model in (mask_rcnn, restored))  # eagerly: sooner than to trace both
    for part, values in found.items():
        np.testing.assert_array_equal(values, again[part])
    assert restored.get_config() == mask_rcnn.get_config()


@pytest.mark.slow
def test_compiled_by_xla_it_detects_the_same(mask_rcnn):
    import tensorflow as tf

    images = batch(np.random.default_rng(1))["images"]
    plain = mask_rcnn(images)
    compiled = tf.function(mask_rcnn, jit_compile=True)(tf.constant(images))
    np.testing.assert_allclose(compiled["boxes"], plain["boxes"], atol=1e-2)
    np.testing.assert_allclose(compiled["masks"], plain["masks"], atol=1e-3)


def test_head_variables_are_all_but_the_backbones(mask_rcnn):
    own = {id(variable) for variable in mask_rcnn.head_variables}
    rest = [variable for variable in mask_rcnn.trainable_variables if id(variable) not in own]
    names = {layer.name for layer in mask_rcnn.trunk.layers}
    assert rest and own and mask_rcnn.backbone_layers and set(mask_rcnn.backbone_layers) <= names
    assert not any("lateral" in variable.path or "rpn" in variable.path for variable in rest)


def test_images_of_any_size_are_fitted_in(mask_rcnn):
    random = np.random.default_rng(5)
    images = [
        random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 96), (31, 200), (200, 31))
    ]
    for image, found in zip(images, detect(mask_rcnn, images, batch_size=4)):
        height, width = image.shape[:2]
        assert found.size_hw == (height, width)
        assert (found.boxes_xyxy >= 0).all() and (found.boxes_xyxy <= [width, height, width, height]).all()
        assert found.masks.shape == (len(found), height, width)
    # At the input's own size nothing is changed: the boxes are the network's.
    first = next(detect(mask_rcnn, images[:1], batch_size=4))
    raw = mask_rcnn.predict_on_batch(np.stack([images[0]] * 4).astype("float32"))
    there = raw["classes"][0] > 0
    np.testing.assert_allclose(first.boxes_xyxy, raw["boxes"][0][there], atol=1e-3)
    with pytest.raises(InputError, match=r"must be \(H, W, 3\) uint8"):
        list(detect(mask_rcnn, [images[0].astype(float)]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 1}, "`num_classes` must be a whole number from 2"),
        ({"input_size": (100, 96)}, "multiples of 32"),
        ({"input_size": None}, "needs the option `input_size`"),
        ({"proposal": 3}, "did you mean `proposals`"),
        ({"nms": 2}, "`nms` must be a number from 0 to 1"),
        ({"pooling": "pool"}, "has no option `pooling`"),
        ({"backbone": "plan"}, "did you mean `plain`"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        detectors.create("mask_rcnn", **(MASKS | options))


def test_bad_names_and_poolings_are_named():
    with pytest.raises(InputError, match="did you mean `mask_rcnn`"):
        detectors.create("mask_rcn", **SMALL)
    with pytest.raises(InputError, match="works on one feature map"):
        detectors.create("faster_rcnn", pooling="pool", **SMALL)
