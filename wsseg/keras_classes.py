"""Make this package's classes known to Keras by name, without an import of Keras or of the classes.

Keras finds a class of a saved model by the name that it is registered with, such as `wsseg>Segmenter`, and a class is
registered when its module is imported. `import wsseg` must not import TensorFlow and Keras. So it gives Keras a
stand-in for each class, which imports the class when a model needs it: at once where Keras is imported already, else
right after the import of Keras.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from typing import Any

PACKAGE = "wsseg"

PARTS = (
    "wsseg.classifiers.acol:PredictedClasses",
    "wsseg.classifiers.equivariance:Equivariance",
    "wsseg.classifiers.erasing:AdversarialErasing",
    "wsseg.classifiers.smaller_view:OnImageCells",
    "wsseg.classifiers.smaller_view:SmallerView",
    "wsseg.classifiers.strongest_class:StrongestClass",
    "wsseg.detectors.rcnn:RCNN",
    "wsseg.losses.generalised_label_loss:GeneralisedLabelLoss",
    "wsseg.losses.with_auxiliary:WithAuxiliary",
    "wsseg.segmenters.segmenter:Segmenter",
    "wsseg.training.optimizers:AdamWWithMultipliers",
    "wsseg.training.optimizers:SGDWithMultipliers",
)
"""Registered classes that stand in no table of names. A test holds this list complete."""


def registered_classes() -> dict[str, str]:
    """Return the registered classes of this package: registered name -> "module:class".

    Example:
        >>> registered_classes()["wsseg>Segmenter"]
        'wsseg.segmenters.segmenter:Segmenter'
    """
    from wsseg.classifiers import CLASSIFIERS
    from wsseg.layers import LAYERS
    from wsseg.losses import LOSSES

    paths = [*PARTS, *CLASSIFIERS.values(), *LAYERS.values(), *LOSSES.values()]
    named = {path.partition(":")[2]: path for path in paths}
    # The one loss in lower case is a function that makes Keras' own class.
    return {f"{PACKAGE}>{name}": path for name, path in named.items() if name[0].isupper()}


class StandIn:
    """What Keras finds under a registered name until the class itself is imported, which registers it instead.

    Args:
        path: "module:class".
    """

    def __init__(self, path: str):
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._load(), name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Make an object of the class."""
        return self._load()(*args, **options)

    def __repr__(self) -> str:
        return f"<stand-in for {self._path}>"

    def _load(self) -> type:
        module, _, name = self._path.partition(":")
        return getattr(importlib.import_module(module), name)


def register() -> None:
    """Give Keras a stand-in for each class that it does not know yet. This imports Keras."""
    import keras

    known = keras.saving.get_custom_objects()
    for name, path in registered_classes().items():
        known.setdefault(name, StandIn(path))


def register_when_keras_is_imported() -> None:
    """Register now if Keras is imported, else right after its import."""
    if hasattr(sys.modules.get("keras"), "saving"):
        register()
    elif not any(isinstance(finder, KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, KerasFinder())


class KerasFinder(MetaPathFinder):
    """An import hook that finds `keras` as the other finders do, and registers after its import.

    It changes no other import, and goes as soon as Keras is imported.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of `keras` with a loader that registers; None for any other module."""
        if name != "keras":
            return None
        for finder in sys.meta_path:
            find = None if isinstance(finder, KerasFinder) else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = RegisteringLoader(spec.loader)
                return spec
        return None


class RegisteringLoader(Loader):
    """A module's own loader, and the registration after it.

    Args:
        loader: The module's own.
    """

    def __init__(self, loader: Any):
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_loader"], name)

    def create_module(self, spec: Any) -> Any:
        """Do as the module's own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """Import Keras as if there were no hook, remove the hook, and register."""
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, KerasFinder)]
        if hasattr(module, "saving"):
            register()
