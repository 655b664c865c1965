"""The values of each epoch as TensorBoard's event files."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from wsseg.artifacts import read_json
from wsseg.file_names import TENSORBOARD, TRAINING_STATE


class TensorBoardEvents(keras.callbacks.Callback):
    """Writes loss, learning rate and validation values of each epoch into `tensorboard/` in a stage's folder.

    They are scalars with the names of `history.csv`'s columns, and the step is the number of the epoch, from 1. When a
    training resumes, the folder is written anew from the history of the complete epochs. So it is whole, without a
    value twice, whatever was left or deleted; the times of day of earlier epochs are then those of the resumption.
    TensorFlow writes the files without TensorBoard; `pip install tensorboard` shows them.

    Args:
        out: Folder of the stage, with the state of a training to resume.
    """

    def __init__(self, out: Path):
        super().__init__()
        self.out = out
        self.writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Write the folder anew, with the epochs that a resumed training has done."""
        shutil.rmtree(self.out / TENSORBOARD, ignore_errors=True)
        self.writer = tf.summary.create_file_writer(str(self.out / TENSORBOARD))
        if (self.out / TRAINING_STATE).exists():
            for row in read_json(self.out / TRAINING_STATE, dict, ("history",))["history"]:
                self._write(row)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the values of an epoch; a value that is not finite is left out."""
        self._write({"epoch": epoch + 1} | (logs or {}))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the file."""
        self.writer.close()

    def _write(self, row: Mapping[str, float]) -> None:
        # `tf.summary.scalar` needs the package tensorboard; it writes a value with this description.
        metadata = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_SCALAR")
        metadata.plugin_data.plugin_name = "scalars"
        with self.writer.as_default():
            for name, value in row.items():
                if name != "epoch" and math.isfinite(value):
                    tf.summary.write(name, tf.constant(value, tf.float32), int(row["epoch"]), metadata)
        self.writer.flush()
