"""Load a model from a `.keras` file, including this package's own models."""

import zipfile
from pathlib import Path

import keras

from wsseg import keras_classes
from wsseg.errors import InputError


def load_model(path: str | Path) -> keras.Model:
    """Load a model for inference, in Keras' safe mode.

    Args:
        path: `.keras` file of a run (`1_classify/classifier.keras`, `5_segment/segmenter.keras`,
            `5_detect/detector.keras`) or from any other source.

    Returns:
        The model, not compiled.

    Raises:
        InputError: The file is missing, broken, or holds layers that are not registered.
    """
    keras_classes.register()
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(f"model {path} does not exist; give a .keras file")
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"model {path} cannot be loaded: {error}; give a .keras file") from error
