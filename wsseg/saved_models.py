"""Load a model from a file or a SavedModel folder, including this package's own models."""

import importlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

from wsseg import keras_classes
from wsseg.errors import InputError, nearest

SAVED_MODEL = "saved_model.pb"
"""File by which a folder is a SavedModel."""

ENDPOINT = "serving_default"
"""Function of a SavedModel that is called, as `model.export` names it."""

SIZES = ("units", "filters", "input_dim", "output_dim", "num_heads", "key_dim", "embed_dim", "hidden_dim")
"""Options of layers that have at least as many weights."""

LOST_CLASS = re.compile(r"Could not locate (?:class|function) '([^']+)'|Unknown [\w ]+: '?(\w+)'?")
UNSAFE = re.compile(r"deserialization of a `(\w+)`")


def load_model(path: str | Path, custom_objects: Mapping[str, Any] | None = None) -> keras.Model:
    """Load a model for inference, in Keras' safe mode.

    Args:
        path: `.keras` file of a run (`1_classify/classifier.keras`, `5_segment/segmenter.keras`,
            `5_detect/detector.keras`) or from any other source; or an `.h5` file of a whole model.
        custom_objects: Name -> class or function that the model needs beside Keras' and this package's own.

    Returns:
        The model, not compiled.

    Raises:
        InputError: The file is missing, broken, of weights alone, or holds layers that are not registered or that may
            run any code when they are loaded (Lambda).
    """
    keras_classes.register()
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(f"model {path} does not exist; give a .keras file")
    if path.is_dir() and not (path / "config.json").exists():
        raise InputError(f"model {path} is a folder; give a .keras file")
    refuse_oversized(path)
    try:
        return keras.saving.load_model(path, custom_objects=dict(custom_objects or {}), compile=False)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"model {path} cannot be loaded: {_reason(path, str(error))}") from error


def refuse_oversized(path: Path) -> None:
    """Refuse a file that asks for more memory than its own size explains, before anything is built.

    A layer has at least one weight per unit, so a file of S bytes cannot have a layer of more than S units.

    Raises:
        InputError: The configuration has such a layer, or the archive unpacks to a hundred times its size.
    """
    try:
        entries, config = _configuration(path)
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        return  # Keras says what is wrong
    for entry in entries:
        if _bursts(entry):
            raise InputError(
                f"model {path}: `{entry.filename}` would unpack to {entry.file_size / 2**20:.0f} MiB from "
                f"{entry.compress_size / 2**20:.1f} MiB; this is no model that Keras wrote"
            )
    size = sum(entry.file_size for entry in entries) or path.stat().st_size
    for name, value in _sizes(config):
        if value > size:
            raise InputError(
                f"model {path} asks for a layer with `{name}` {value}, but holds only {size} bytes; it is damaged, or "
                "not meant to be loaded"
            )


def _configuration(path: Path) -> tuple[list[zipfile.ZipInfo], Any]:
    """Return the entries of a `.keras` archive, none of an HDF5 file, and the model's configuration."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            fits = not any(map(_bursts, entries))
            return entries, json.loads(archive.read("config.json")) if fits else {}
    with h5py.File(path) as file:
        return [], json.loads(file.attrs.get("model_config", "{}"))


def _bursts(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > 100 * entry.compress_size + 2**24


def _sizes(config: Any) -> Iterator[tuple[str, int]]:
    """Yield the sizes of layers in a configuration, with their names."""
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            left += part.values()
            yield from (
                (name, value) for name, value in part.items() if name in SIZES and isinstance(value, int)
            )
        elif isinstance(part, list):
            left += part


def load_saved_model(folder: str | Path) -> keras.Model:
    """Load a SavedModel, such as `model.export` writes, as a model of one layer that can only be called.

    Args:
        folder: Folder with `saved_model.pb`.

    Raises:
        InputError: It is broken, has no function `serving_default`, or this takes no single image or gives several
            outputs.
    """
    import tensorflow as tf

    folder = Path(folder).expanduser()
    try:
        signatures = tf.saved_model.load(str(folder)).signatures
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise InputError(f"model {folder} cannot be loaded as a SavedModel: {error}") from error
    if ENDPOINT not in signatures:
        raise InputError(
            f"model {folder} has no function `{ENDPOINT}` (it has: {', '.join(signatures) or 'none'}); export it with "
            "`model.export(folder)`"
        )
    function = signatures[ENDPOINT]
    specs = list(function.structured_input_signature[1].values())
    if len(specs) != 1 or specs[0].shape.rank != 4 or len(function.structured_outputs) != 1:
        given, made = ([str(x.shape) for x in side] for side in (specs, function.structured_outputs.values()))
        raise InputError(
            f"model {folder} must take one image (batch, height, width, channels) and give one output; it takes "
            f"{', '.join(given)} and gives {', '.join(made)}"
        )
    image = keras.Input(tuple(specs[0].shape[1:]), dtype=specs[0].dtype.name)
    layer = keras.layers.TFSMLayer(str(folder), call_endpoint=ENDPOINT, name="saved_model")
    return keras.Model(
        image, keras.tree.flatten(layer(image))[0], name=folder.name.replace("/", "_") or "saved_model"
    )


def import_custom_objects(words: Sequence[str]) -> dict[str, Any]:
    """Import classes and functions that models need.

    Args:
        words: "module:name", such as "my_layers:Squeeze". Modules are found as Python finds them, and in the working
            folder.

    Returns:
        Name -> class or function.

    Raises:
        InputError: A word has another form, or there is no such module or name.

    Example:
        >>> import_custom_objects(["collections:Counter"])
        {'Counter': <class 'collections.Counter'>}
    """
    found: dict[str, Any] = {}
    for word in words:
        module, colon, name = word.partition(":")
        if not (module and colon and name):
            raise InputError(f"--custom-objects {word}: expected module:Class, such as my_layers:Squeeze")
        here = str(Path.cwd())
        if here not in sys.path and "" not in sys.path:  # a console script does not look there
            sys.path.append(here)
        try:
            imported = importlib.import_module(module)
        except Exception as error:  # whatever the user's module raises
            raise InputError(
                f"--custom-objects {word}: module `{module}` cannot be imported ({type(error).__name__}: {error}); run "
                "the command in the folder of its file, or set PYTHONPATH"
            ) from error
        if not hasattr(imported, name):
            names = [key for key in vars(imported) if not key.startswith("_")]
            raise InputError(f"--custom-objects {word}: `{module}` has no `{name}`; {nearest(name, names)}")
        found[name] = getattr(imported, name)
    return found


def _reason(path: Path, text: str) -> str:
    """Return in short why a file cannot be loaded, and what to do."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            whole = "model_config" in file.attrs
        if not whole:
            return (
                "it holds weights alone, and not the layers that they belong to; load them into the model that has "
                "them (`model.load_weights`), and save it whole with `model.save('model.keras')`"
            )
        if path.suffix not in (".h5", ".hdf5"):
            return "it is an HDF5 file; rename it to end in .h5"
    elif not zipfile.is_zipfile(path) and path.is_file():
        return "it is no .keras file, which is a zip archive, and no .h5 file; it may be broken, or copied in part"
    if unsafe := UNSAFE.search(text):
        return (
            f"it has a `{unsafe[1]}` layer, which may run any code that the file brings, so it is not loaded; use a "
            "layer class instead (--custom-objects module:Class); or, if you trust the file, load it in Python with "
            "keras.models.load_model(..., safe_mode=False), and use `wsseg.explainers.create`"
        )
    if lost := LOST_CLASS.search(text):
        names = _foreign_classes(path) or [lost[1] or lost[2]]
        words = " ".join(f"--custom-objects module:{name}" for name in names)
        return (
            f"it needs {', '.join(f'`{name}`' for name in names)}, which Keras does not know; in Python import the "
            f"class before, or on the command line say which module has it: {words}"
        )
    return f"{text if len(text) < 500 else f'{text[:250]} ... {text[-200:]}'}; give a .keras file"


def _foreign_classes(path: Path) -> list[str]:
    """Return the classes and functions in a `.keras` file that neither Keras nor this package has."""
    try:
        with zipfile.ZipFile(path) as file:
            content = json.loads(file.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return []
    known, found = keras.saving.get_custom_objects(), {}
    left: list[Any] = [{key: value for key, value in content.items() if key != "compile_config"}]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            module, name = item.get("module"), item.get("class_name")
            if name == "function":
                name = item.get("config")
            registered = item.get("registered_name") or ""
            standard = isinstance(module, str) and (module == "builtins" or module.split(".")[0] == "keras")
            if isinstance(name, str) and "class_name" in item and not standard and registered not in known:
                found[name] = None
            left += reversed(item.values())
        elif isinstance(item, list):
            left += reversed(item)
    return [name for name in found if not name.startswith("__") and not hasattr(keras.layers, name)]
