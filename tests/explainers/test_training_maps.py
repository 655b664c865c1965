"""The callback that draws maps during training: what it draws is the model of that epoch, and training is the same."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers import TrainingMaps

IMAGES = np.random.default_rng(0).uniform(0, 1, (4, 12, 12, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 1])


def classifier(activation="softmax"):
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    tensor = layers.Conv2D(4, 3, strides=3, activation="relu")(image)
    tensor = layers.Dropout(0.2)(layers.BatchNormalization()(tensor))
    model = keras.Model(
        image, layers.Dense(3, activation=activation)(layers.GlobalAveragePooling2D()(tensor))
    )
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(activation is None))
    return model


class Kept(TrainingMaps):
    """Keeps the maps that it draws, and those that a new explainer gives at that moment."""

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.kept, self.new = [], []

    def _draw(self, path):
        super()._draw(path)
        self.kept.append(self._explainer.raw(self.images, self.classes))
        self.new.append(explainers.create(self.method, self.model).raw(self.images, self.classes))


@pytest.mark.parametrize("method", ["hires_cam", "cam"])
def test_draws_the_model_of_each_epoch(tmp_path, method):
    maps = Kept(IMAGES, tmp_path, LABELS, method)
    classifier().fit(IMAGES, LABELS, epochs=3, verbose=0, callbacks=[maps])
    assert [file.name for file in sorted(tmp_path.iterdir())] == [f"epoch_000{n}.png" for n in (1, 2, 3)]
    scale = np.abs(maps.new).max()
    np.testing.assert_allclose(maps.kept, maps.new, atol=1e-5 * scale)
    assert np.abs(maps.new[0] - maps.new[2]).max() > 1e-2 * scale  # the epochs differ


def test_training_is_the_same_with_and_without_it(tmp_path):
    weights = []
    for callbacks in ([], [TrainingMaps(IMAGES, tmp_path, every=2)]):
        model = classifier()
        model.fit(IMAGES, LABELS, epochs=4, batch_size=2, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    for one, other in zip(*weights):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert len(list(tmp_path.iterdir())) == 2


def test_pictures_for_tensorboard(tmp_path):
    maps = TrainingMaps(
        IMAGES, tmp_path / "maps", [[0, 1], [2, -1], [0, 0], [1, 2]], tensorboard=tmp_path / "events"
    )
    classifier().fit(IMAGES, LABELS, epochs=2, verbose=0, callbacks=[maps])
    (file,) = (tmp_path / "events").iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.tag == "training_maps" and value.metadata.plugin_data.plugin_name == "images"
            found[event.step] = tf.make_ndarray(value.tensor)
    assert set(found) == {1, 2}
    for step, (width, height, content) in found.items():
        assert content == (tmp_path / "maps" / f"epoch_000{step}.png").read_bytes()
        assert Image.open(io.BytesIO(content)).size == (int(width), int(height))


def test_images_of_other_channels_and_photographs(tmp_path):
    image = keras.Input((12, 12, 4))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))))
    model.compile("sgd", "mse")
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 4)).astype("float32")
    photographs = np.zeros((2, 12, 12, 3), np.uint8)
    for shown in (None, photographs):
        maps = TrainingMaps(images, tmp_path, class_names=["cat", "dog"], photographs=shown)
        model.fit(images, np.zeros((2, 2)), verbose=0, callbacks=[maps])
    # A target of one's own.
    maps = TrainingMaps(images, tmp_path, lambda output: output[:, 0] - output[:, 1])
    model.fit(images, np.zeros((2, 2)), verbose=0, callbacks=[maps])
    for wrong, message in (
        ({"photographs": photographs[:1]}, "`photographs` must be"),
        ({"class_names": ["cat"]}, "`class_names` has 1 names"),
        ({"classes": [5, 0]}, "from 0 to 1"),
        ({"method": "grad_com"}, "did you mean `grad_cam`"),
        ({"layers": "x"}, "layer"),
    ):
        with pytest.raises(InputError, match=message):
            model.fit(
                images, np.zeros((2, 2)), verbose=0, callbacks=[TrainingMaps(images, tmp_path, **wrong)]
            )
    with pytest.raises(InputError, match="`every`"):
        TrainingMaps(images, tmp_path, every=0)
