"""Weakly supervised semantic segmentation and explainability in Keras 3 on TensorFlow.

A chain of stages leads from images with only image-level labels to a trained segmenter (`wsseg.stages`).
`wsseg.load` loads what a run has trained, to use it on new photographs. `wsseg.explainers` explains any Keras model.

`import wsseg` imports neither TensorFlow nor Keras. After it `keras.models.load_model` loads this package's models.
"""

from typing import TYPE_CHECKING, Any

from wsseg.keras_classes import register_when_keras_is_imported

if TYPE_CHECKING:
    from wsseg.inference.load import load

__all__ = ["__version__", "load"]

__version__ = "0.1.0"

register_when_keras_is_imported()


def __getattr__(name: str) -> Any:
    if name == "load":
        from wsseg.inference.load import load

        return load
    raise AttributeError(f"module `wsseg` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted([*globals(), "load"])
