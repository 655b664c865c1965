"""Images in every form that a user may give, and models of whole numbers."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.networks import small_classifier
from keras import layers, ops
from PIL import Image

from wsseg import explainers
from wsseg.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 9, 11, 3), np.uint8)
IMAGES = PIXELS.astype("float32")
PICTURES = [Image.fromarray(pixels) for pixels in PIXELS]


class Foreign:
    """A tensor of another framework: NumPy can read it."""

    def __array__(self, dtype=None, copy=None):
        return IMAGES.astype(dtype or "float32")


class Attached(Foreign):
    """A tensor that must be detached first, as PyTorch says."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )


@pytest.fixture(scope="module", params=["functional", "subclassed"])
def explainer(request):
    model = small_classifier((9, 11) if request.param == "functional" else (None, None))
    if request.param == "functional":
        return explainers.create("smooth_grad", model=model, copies=1, noise=0.0)

    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.inner = model

        def call(self, x):
            return self.inner(x)

    return explainers.create("smooth_grad", model=Own(), copies=1, noise=0.0)


@pytest.mark.parametrize(
    "given",
    [PIXELS, IMAGES.astype("float64"), list(IMAGES), [IMAGES], (IMAGES,), tf.constant(IMAGES), IMAGES.tolist(),
     PICTURES, [tf.constant(image) for image in IMAGES], Foreign()],
    ids=["bytes", "float64", "list", "list of one batch", "tuple", "tensor", "nested lists", "pictures",
         "list of tensors", "foreign"],
)  # fmt: skip
def test_forms_of_images(explainer, given):
    np.testing.assert_allclose(explainer.raw(given, 1), explainer.raw(IMAGES, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("photo.png", "must hold images, not file names .'photo.png'.; open a file"),
        ([Path("photo.png")], "must hold images, not file names"),
        ([picture.convert("P") for picture in PICTURES], "picture of mode P, .*convert"),
        ([picture.convert("CMYK") for picture in PICTURES], "picture of mode CMYK, .*convert"),
        ([IMAGES[0], IMAGES[0, :5]], r"images of a batch must have one size; got \(5, 11, 3\), \(9, 11, 3\)"),
        (Attached(), "detach"),
        (None, "is None; give"),
        (IMAGES.astype("complex64"), "must be numbers; got complex64"),
        (IMAGES.astype(object), "must be numbers; got object"),
        (np.array(["photo.png"]), "must be numbers; got <U9"),
        ((image for image in IMAGES), "must be numbers; got object"),
        (tf.data.Dataset.from_tensors(IMAGES), "must be numbers; got object"),
        (np.moveaxis(IMAGES, -1, 1), "move the channels to the end"),
        (IMAGES[:0], "at least one image"),
        ([], r"`images` must be|no image"),
    ],
)
def test_what_are_no_images(explainer, given, message):
    explainer.raw(IMAGES, 1)
    with pytest.raises(InputError, match=message):
        explainer.raw(given, 1)


def of_bytes(convert, dtype="uint8"):
    image = keras.Input((9, 11, 3), dtype=dtype)
    tensor = layers.Conv2D(4, 3, strides=2, activation="relu")(convert(image))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(tensor)))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "int64"])
def test_gradient_to_an_image_of_whole_numbers(dtype):
    model, twin = of_bytes(layers.Rescaling(1 / 255), dtype), of_bytes(layers.Rescaling(1 / 255), "float32")
    twin.set_weights(model.get_weights())
    for method, options in (
        {
            "guided_backprop": {},
            "guided_grad_cam": {},
            "smooth_grad": {"copies": 3},
            "integrated_gradients": {"steps": 3},
            "grad_cam": {},
            "occlusion": {"fill": 7.0},
            "score_cam": {"fill": 7.0},
        }.items()
        if dtype == "uint8"
        else [("smooth_grad", {"copies": 2})]
    ):
        found = explainers.create(method, model=model, **options).raw(PIXELS.astype(dtype), [0, 1])
        wanted = explainers.create(method, model=twin, **options).raw(IMAGES, [0, 1])
        # A masked image of whole numbers is rounded, which the twin's is not.
        tolerance = 0.02 if method == "score_cam" else 1e-4
        np.testing.assert_allclose(found, wanted, atol=tolerance * np.abs(wanted).max(), err_msg=method)


def test_gradient_through_a_nested_model_of_bytes():
    inner = keras.Sequential(
        [keras.Input((9, 11, 3), dtype="uint8"), layers.Rescaling(1 / 255)], name="inner"
    )
    model = of_bytes(inner)
    found = explainers.create("smooth_grad", model=model, copies=1, noise=0.0).raw(PIXELS, 1)
    image = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(image)
        tensor = image / 255
        for layer in model.layers[2:]:
            tensor = layer(tensor)
        score = tensor[:, 1]
    np.testing.assert_allclose(found, np.abs(tape.gradient(score, image)).sum(axis=-1), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (
            lambda x: ops.cast(x * 3, "float32"),
            r"computes with the whole numbers \(uint8\) .* use `occlusion`",
        ),
        (lambda x: ops.cast(x // 64, "float32"), "has no gradient either"),
        (lambda x: ops.one_hot(x[..., 0] // 64, 4), "has no gradient either"),
        (lambda x: layers.Embedding(256, 4)(x[..., 0]), "has no gradient either"),
        (lambda x: ops.cast(ops.cast(x, "uint8"), "float32"), "has no gradient either"),
    ],
    ids=["overflow", "floor division", "one hot", "embedding", "cast"],
)
def test_whole_numbers_without_a_gradient(convert, message):
    model = of_bytes(convert)
    for method in ("smooth_grad", "guided_backprop"):
        with pytest.raises(InputError, match=message):
            explainers.create(method, model=model).raw(PIXELS, 1)
    for method in ("grad_cam", "occlusion"):
        assert np.isfinite(explainers.create(method, model=model).raw(PIXELS, 1)).all()


@pytest.mark.parametrize(
    "given", [IMAGES / 255, -IMAGES, IMAGES + 1, IMAGES * np.nan, PIXELS.astype(int) - 300],
    ids=["scaled", "negative", "too large", "nan", "whole and negative"],
)  # fmt: skip
def test_numbers_that_bytes_cannot_hold(given):
    switches = explainers.create("grad_cam", model=of_bytes(lambda x: ops.cast(x, "float32"), "bool"))
    with pytest.raises(InputError, match="values other than 0 and 1"):
        switches.raw(given, 1)
    explainer = explainers.create("grad_cam", model=of_bytes(layers.Rescaling(1 / 255)))
    with pytest.raises(InputError, match=r"takes whole numbers, uint8 from 0 to 255; got .*not scaled ones"):
        explainer.raw(given, 1)
    np.testing.assert_array_equal(explainer.raw(IMAGES, 1), explainer.raw(PIXELS, 1))
