"""A callback of Keras that draws maps of a few images while a model is trained."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from wsseg import explainers
from wsseg.errors import InputError, require_whole
from wsseg.report.explanation import MEANING
from wsseg.report.grid import Cell, write_grid
from wsseg.report.overlay import in_gray, overlay

TAG = "training_maps"
"""Name of the pictures in TensorBoard."""


class TrainingMaps(keras.callbacks.Callback):
    """Draws what a model sees in a few images after every few epochs of `fit`.

    One picture per drawn epoch, `epoch_0001.png` and so on: a row per image, a column per class, over each map the
    class and the model's output for it. Explainer and model share their weights, so every picture shows the model as
    it is then. Drawing runs the model in inference mode and changes neither its weights nor the course of training.

    Args:
        images: A few images in the model's input range, as an explainer takes them: `(B, H, W, C)`, or a list or dict
            for a model with several inputs.
        out: Folder of the pictures; it is created.
        classes: `(B,)` or `(B, T)` class indices, or another target that an explainer takes; None for the class with
            the highest output at the time.
        method: Name of the explainer, a key of `wsseg.explainers.EXPLAINERS`.
        every: Number of epochs from picture to picture.
        class_names: Names of the model's outputs; None for numbers.
        photographs: `(B, H, W, 3)` uint8 RGB of the images' size to draw the maps over; None for the images themselves,
            each stretched from its lowest and highest value to [0, 255].
        tensorboard: Folder for TensorBoard's event files, to which the pictures are added; None for no such files.
        options: Further options of the explainer, such as `layer`.

    Raises:
        InputError: An option has an invalid value. When the training begins: the explainer does not fit the model, or
            the images or classes do not.

    Example:
        >>> import tempfile
        >>> images = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3))
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3),
        ...     keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")])
        >>> model.compile("sgd", "sparse_categorical_crossentropy")
        >>> with tempfile.TemporaryDirectory() as out:
        ...     maps = TrainingMaps(images, out, classes=[0, 1], every=2)
        ...     _ = model.fit(images, np.array([0, 1]), epochs=4, verbose=0, callbacks=[maps])
        ...     print(sorted(file.name for file in Path(out).iterdir()))
        ['epoch_0002.png', 'epoch_0004.png']
    """

    def __init__(
        self,
        images: Any,
        out: str | Path,
        classes: Any = None,
        method: str = "grad_cam",
        every: int = 1,
        class_names: Sequence[str] | None = None,
        photographs: np.ndarray | None = None,
        tensorboard: str | Path | None = None,
        **options: Any,
    ):
        super().__init__()
        self.images, self.classes, self.method, self.options = images, classes, method, options
        self.out, self.every = Path(out), require_whole("every", every, hint="try 1")
        self.class_names, self.photographs = class_names, photographs
        self.tensorboard = None if tensorboard is None else Path(tensorboard)
        self._explainer: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Build the explainer, so that what is wrong is said before the first epoch."""
        if self._explainer is None or self._explainer.network.model is not self.model:
            self._explainer = None
            if self.model.built:
                self._build()
        self.out.mkdir(parents=True, exist_ok=True)
        if self.tensorboard is not None:
            self._writer = tf.summary.create_file_writer(str(self.tensorboard))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the maps if it is this epoch's turn."""
        if (epoch + 1) % self.every:
            return
        if self._explainer is None:
            self._build()
        path = self.out / f"epoch_{epoch + 1:04d}.png"
        self._draw(path)
        if self._writer is not None:
            self._write(path, epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _build(self) -> None:
        explainer = explainers.create(self.method, self.model, **self.options)
        inputs = explainer.network.inputs(self.images)
        explainer.prepared(self.images, self._targets(explainer, inputs)[0])
        images = inputs[explainer.network.image]
        shown = _shown(images) if self.photographs is None else np.asarray(self.photographs)
        if shown.shape != (*images.shape[:3], 3) or shown.dtype != np.uint8:
            raise InputError(
                f"`photographs` must be {(*images.shape[:3], 3)} uint8, one of each image's size; got {shown.shape} "
                f"{shown.dtype}"
            )
        self._explainer, self._photographs = explainer, shown

    def _targets(self, explainer: Any, inputs: Sequence[np.ndarray]) -> tuple[Any, list[list[str]] | None]:
        """Return what to explain, and the title of each map; None for no titles."""
        network = explainer.network
        values = network.outputs([tf.constant(x) for x in inputs]).one(explainer.output, logits=False)
        values = np.asarray(keras.ops.cast(values, "float32"))
        classes = self.classes
        if classes is None:
            if values.ndim != 2:
                raise InputError(
                    f"`classes` must be given, since the model's output is {values.shape}, not (images, classes)"
                )
            classes = values.argmax(axis=1)
        indices = np.asarray(classes)
        if values.ndim != 2 or indices.dtype.kind not in "iu" or indices.ndim not in (1, 2):
            return classes, None
        if self.class_names is not None and len(self.class_names) != values.shape[1]:
            raise InputError(
                f"`class_names` has {len(self.class_names)} names and the model {values.shape[1]} outputs"
            )
        rows = indices[:, None] if indices.ndim == 1 else indices
        return classes, [[self._title(row, i) for i in wanted] for row, wanted in zip(values, rows)]

    def _title(self, values: np.ndarray, index: int) -> str:
        if not 0 <= index < len(values):
            return ""
        name = f"class {index}" if self.class_names is None else self.class_names[index]
        return f"{name} {values[index]:.3g}"

    def _draw(self, path: Path) -> None:
        inputs = self._explainer.network.inputs(self.images)
        targets, titles = self._targets(self._explainer, inputs)
        maps = self._explainer(self.images, targets)
        maps = maps[:, None] if maps.ndim == 3 else maps
        rows = {}
        for number, (photograph, stack) in enumerate(zip(self._photographs, maps)):
            cells = [Cell(photograph)]
            for column, one in enumerate(stack):
                title = "" if titles is None else titles[number][column]
                cells.append(Cell(overlay(in_gray(photograph), one), title))
            rows[f"image {number}"] = cells
        write_grid(path, rows, colour_bar=MEANING)

    def _write(self, path: Path, step: int) -> None:
        """Add the picture to the event file, as TensorBoard's plugin of images reads it."""
        content = path.read_bytes()
        width, height = Image.open(io.BytesIO(content)).size
        metadata = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_BLOB_SEQUENCE")
        metadata.plugin_data.plugin_name = "images"
        with self._writer.as_default():
            tf.summary.write(TAG, tf.constant([str(width), str(height), content]), step, metadata)
        self._writer.flush()


def _shown(images: np.ndarray) -> np.ndarray:
    """Return images of any range and number of channels as `(B, H, W, 3)` uint8; one of neither 1 nor 3 as its mean."""
    values = np.asarray(images, np.float32)
    if images.dtype != np.uint8:
        low, high = (f(values, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        values = np.divide(values - low, high - low, out=np.zeros_like(values), where=high > low) * 255
    if values.shape[-1] != 3:
        values = np.repeat(values.mean(axis=-1, keepdims=True), 3, axis=-1)
    return values.round().astype(np.uint8)
