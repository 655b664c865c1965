import keras
import numpy as np
import pytest
from examples.bright_block import block_classifier, block_image
from keras import layers

from wsseg import classifiers
from wsseg.errors import InputError
from wsseg.faithfulness import Scorer


def test_batches_of_one_size_give_what_the_model_gives():
    model = block_classifier()
    images = np.stack([block_image(seed) for seed in range(7)])
    scorer = Scorer(model, batch_size=3)
    found = scorer(image for image in images)
    np.testing.assert_allclose(found, model.predict(images, verbose=0), atol=1e-5)
    np.testing.assert_array_equal(scorer.of_class(images, 1), found[:, 1])
    assert scorer._function.experimental_get_tracing_count() == 1
    assert scorer([]).shape == (0, 0) and scorer.of_class([], 1).shape == (0,)


def test_images_of_several_sizes():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(image)))
    images = [np.full(shape, 9.0) for shape in ((4, 5, 3), (4, 5, 3), (6, 3, 3), (4, 5, 3))]
    found = Scorer(model, batch_size=3)(images)
    assert found.shape == (4, 2) and np.ptp(found, axis=0) == pytest.approx([0, 0], abs=1e-5)


def test_preprocessing_sees_rgb_and_may_change_it_in_place():
    def preprocess(batch):
        batch /= 255.0
        return batch

    model, image = block_classifier(), block_image()
    before = image.copy()
    found = Scorer(model, preprocess)([image])
    np.testing.assert_allclose(found, model.predict(image[None] / 255, verbose=0), atol=1e-5)
    np.testing.assert_array_equal(image, before)


@pytest.mark.filterwarnings("ignore:model .* gives logits of 2 classes")
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda x: layers.Dense(2, "softmax")(x), "probabilities"),
        (lambda x: layers.Dense(2, "sigmoid")(x), "probabilities"),
        (lambda x: layers.Dense(2)(x), "softmax"),
        (lambda x: layers.Dense(2, "relu")(x), "softmax"),
        (lambda x: layers.Softmax()(layers.Dense(2)(x)), "probabilities"),
        (lambda x: keras.ops.softmax(layers.Dense(2)(x)), "probabilities"),
        (
            lambda x: layers.Activation("linear", dtype="float32")(layers.Dense(2, "softmax")(x)),
            "probabilities",
        ),
        (lambda x: layers.Reshape((2,))(layers.Dense(2, "softmax")(x)), "probabilities"),
        (lambda x: keras.Sequential([keras.Input((3,)), layers.Dense(2, "softmax")])(x), "probabilities"),
        (lambda x: keras.Sequential([keras.Input((3,)), layers.Dense(2)])(x), "softmax"),
    ],
)
def test_what_the_model_gives_is_seen(end, expected):
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, end(layers.GlobalAveragePooling2D()(image)))
    assert Scorer(model).outputs == expected
    total = Scorer(model)([np.full((4, 4, 3), 50.0)]).sum()
    assert total == pytest.approx(1, abs=1e-5) or "sigmoid" in str(model.layers[-1].get_config())


def test_this_packages_classifiers_give_logits_of_several_labels():
    model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(32, 32))
    scorer, image = Scorer(model), np.full((32, 32, 3), 99.0)
    assert scorer.outputs == "sigmoid"
    logits = model.predict(image[None], verbose=0)
    np.testing.assert_allclose(scorer([image]), 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_a_model_made_from_a_list_and_a_sequential_one():
    image = keras.Input((4, 4, 3))
    listed = keras.Model([image], layers.Dense(2, "softmax")(layers.Flatten()(image)))
    chain = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2, "softmax")])
    for model in (listed, chain):
        np.testing.assert_allclose(Scorer(model)(np.zeros((1, 4, 4, 3))), [[0.5, 0.5]], rtol=1e-6)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.end = layers.Dense(2)

    def call(self, images, training=False):
        return self.end(keras.ops.mean(images, axis=(1, 2)))


def test_a_subclassed_model_needs_to_be_told():
    with pytest.raises(InputError, match="--outputs"):
        Scorer(Subclassed())
    found = Scorer(Subclassed(), outputs="softmax")(np.ones((1, 4, 4, 3)))
    assert found.sum() == pytest.approx(1)


def test_wrong_models_and_images():
    image = keras.Input((4, 4, 3))
    with pytest.raises(InputError, match="must take one image"):
        Scorer(keras.Model(image, layers.Conv2D(2, 1)(image)))
    with pytest.raises(InputError, match="must take one image"):
        Scorer(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    scorer = Scorer(block_classifier())
    with pytest.raises(InputError, match=r"must be \(12, 12, 3\).*got \(9, 12, 3\)"):
        scorer(np.zeros((1, 9, 12, 3)))
    with pytest.raises(InputError, match="gives nan"):
        scorer(np.full((1, 12, 12, 3), np.nan))
    with pytest.raises(InputError, match="`target` must be from 0 to 2; got 3"):
        scorer.of_class(np.zeros((1, 12, 12, 3)), 3)
    for options in ({"batch_size": 0}, {"outputs": "logits"}):
        with pytest.raises(InputError, match=next(iter(options))):
            Scorer(block_classifier(), **options)
