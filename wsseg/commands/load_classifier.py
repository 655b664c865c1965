"""Load the classifiers that `wsseg explain` and `wsseg evaluate-maps` take: files, folders, runs and names."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from wsseg.artifacts import Manifest
from wsseg.channel_images import ChannelReader
from wsseg.commands.classifiers import LoadedModel, channels_of, is_saved_model
from wsseg.commands.own_preprocessing import family_by_names, own_preprocessing
from wsseg.commands.preprocessing import preprocessing
from wsseg.errors import InputError, nearest
from wsseg.file_names import CLASSIFIER, OWNER
from wsseg.saved_models import SAVED_MODEL, import_custom_objects, load_model, load_saved_model
from wsseg.stages import STAGES

APPLICATIONS = {
    "mobilenet": ("MobileNet", "mobilenet"),
    "mobilenet_v2": ("MobileNetV2", "mobilenet_v2"),
    "resnet50": ("ResNet50", "resnet"),
    "resnet101": ("ResNet101", "resnet"),
    "vgg16": ("VGG16", "vgg16"),
    "efficientnet_b0": ("EfficientNetB0", "efficientnet"),
    "convnext_tiny": ("ConvNeXtTiny", "convnext"),
}
"""Name -> (class in `keras.applications`, module with its preprocessing)."""


@dataclass(frozen=True)
class InputOptions:
    """How images become the model's input, beside a named preprocessing; see `wsseg explain --help`.

    Attributes:
        mean: Means to subtract, one or one per channel.
        std: Deviations to divide by, one or one per channel.
        scale: Number that stored values are multiplied by.
        bands: Channels, counted from 0, that pictures show as red, green and blue.
        outputs: Kind of the outputs, one of `wsseg.commands.score_kinds.OUTPUTS`.
        custom_objects: "module:name" of classes and functions that the model needs.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float | None = None
    bands: tuple[int, ...] | None = None
    outputs: str = "auto"
    custom_objects: tuple[str, ...] = ()


def load_classifier(
    model: str | Path,
    weights: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocess: str | None = None,
    options: InputOptions = InputOptions(),
) -> LoadedModel:
    """Load a classifier to explain.

    Args:
        model: Run folder, whose classifier is taken; `.keras` or `.h5` file of a functional or sequential classifier;
            folder of a SavedModel; or a name in `APPLICATIONS`, which has its own preprocessing.
        weights: Weights for a name in `APPLICATIONS`: "imagenet", or a weights file with the 1000-class top.
        class_names: Names of the outputs.
        preprocess: Preprocessing for a model that has none inside: none (the model takes [0, 255]), unit (to [0, 1]),
            tf (to [-1, 1]), torch, caffe, or the name of a `keras.applications` family or network. None is as "none",
            but `remarks` say so if the model seems to need one.
        options: Further options of the input.

    Raises:
        InputError: The file or name does not exist, the weights belong to another network, or an option does not fit
            the model.
    """
    path = Path(model).expanduser()
    if (path / OWNER).exists():
        path = classifier_of_run(path)
    is_file = path.suffix in (".keras", ".h5", ".hdf5") or path.is_file() or (path / "config.json").exists()
    if is_file or (path / SAVED_MODEL).exists():
        if weights is not None:
            raise InputError(f"--weights {weights}: {path} has its own weights; remove --weights")
        if is_file:
            loaded = load_model(path, import_custom_objects(options.custom_objects))
        else:
            loaded = load_saved_model(path)
        names = class_names or getattr(loaded, "class_names", None) or names_of_run(path)
        return _with_input(loaded, path, names, preprocess, options)
    name, width = (model, "") if model in APPLICATIONS else _mobilenet_width(str(model))
    if name not in APPLICATIONS:
        kind = "a folder, but no run and no SavedModel" if path.is_dir() else "no run folder"
        raise InputError(
            f"--model {model} is {kind}, and neither a .keras file nor a network; {nearest(str(model), APPLICATIONS)}"
        )
    if preprocess is not None or options.mean is not None or options.std is not None:
        given = f"--preprocess {preprocess}" if preprocess is not None else "--mean or --std"
        raise InputError(f"{given} is for .keras files; --model {model} has its own; remove {given}")
    network = _application(name, width, str(model), weights)
    if class_names is None and weights == "imagenet":
        class_names = imagenet_names()
    return LoadedModel(
        network, preprocessing(name), class_names, ChannelReader(scale=options.scale), options.outputs
    )


def warn(texts: Sequence[str]) -> None:
    """Print warnings to stderr, such as a classifier's `remarks`."""
    for text in texts:
        print(f"warning: {text}", file=sys.stderr)


def _with_input(
    model: keras.Model,
    path: Path,
    class_names: Sequence[str] | None,
    preprocess: str | None,
    options: InputOptions,
) -> LoadedModel:
    channels = channels_of(model)
    if options.bands is not None and (
        len(options.bands) != 3 or not 0 <= min(options.bands) <= max(options.bands) < channels
    ):
        raise InputError(
            f"--bands must be three of the model's channels, 0 to {channels - 1}; got "
            f"{','.join(map(str, options.bands))}"
        )
    found = preprocessing(preprocess, channels, options.mean, options.std, options.scale is not None)
    ours = type(model).__module__.startswith("wsseg.")
    reader = ChannelReader(channels, options.scale, bands=options.bands, as_trained_here=ours)
    remarks = [found.remark] if found.remark else []
    if not ours and not is_saved_model(model) and getattr(model, "inputs", None):
        stated = preprocess is not None or options.mean is not None or options.scale is not None
        remarks += _input_remarks(model, found.changes or options.scale is not None, stated)
    elif is_saved_model(model) and preprocess is None and options.mean is None and options.scale is None:
        remarks.append(
            "it is not known whether this SavedModel has its preprocessing inside; it gets values in [0, 255] unless "
            "--preprocess or --scale, --mean and --std say otherwise"
        )
    return LoadedModel(model, found, class_names, reader, options.outputs, path, tuple(remarks))


def _input_remarks(model: keras.Model, changes: bool, stated: bool) -> list[str]:
    """Say where the model's own preprocessing and the given one do not go together."""
    own, unknown = own_preprocessing(model)
    if own and changes:
        return [
            f"the model has preprocessing of its own ({', '.join(own[:3])}), and --preprocess, --scale or --mean comes "
            "before it: if it was trained without, the maps are wrong; remove the option then"
        ]
    if own or unknown or stated:
        return []
    family = family_by_names(model)
    hint = "--preprocess torch, tf, caffe or unit, or --scale, --mean and --std"
    if family is not None:
        hint = f"its layers have the names of keras.applications.{family}: --preprocess {family}, if it was trained so"
    return [
        "NO PREPROCESSING: the model has none inside and none is given, so it gets values in [0, 255]. If it was "
        f"trained on other values, scores and maps are wrong. {hint[0].upper()}{hint[1:]}; or --preprocess none, "
        "which ends this warning"
    ]


def _application(name: str, width: str, model: str, weights: str | None) -> keras.Model:
    options = {"alpha": float(width)} if width else {}
    if name == "mobilenet" and not width and weights and weights != "imagenet":
        from wsseg.backbones.weights import mobilenet_alpha

        options = {"alpha": mobilenet_alpha(None, weights)}
    build = getattr(keras.applications, APPLICATIONS[name][0])
    if weights is None:
        raise InputError(
            f"--model {model} needs --weights: `imagenet`, or a weights file with the 1000-class top"
        )
    if weights != "imagenet" and not Path(weights).expanduser().is_file():
        raise InputError(f"weights file {weights} does not exist; give a file, or `imagenet` to download")
    try:
        return build(
            weights="imagenet" if weights == "imagenet" else str(Path(weights).expanduser()), **options
        )
    except Exception as error:  # from Keras: ValueError, or a bare Exception if a download fails
        raise InputError(f"weights {weights} do not fit {model} with its 1000-class top: {error}") from error


def classifier_of_run(run: Path) -> Path:
    """Return the file of a run's classifier.

    Raises:
        InputError: The run has trained none yet.
    """
    path = run / STAGES["classify"].folder / CLASSIFIER
    if not path.exists():
        raise InputError(
            f"run {run} has no trained classifier yet (no {path.relative_to(run)}); train it with "
            f"`wsseg classify --run {shlex.quote(str(run))}`, or give a .keras file"
        )
    return path


def names_of_run(path: Path) -> list[str] | None:
    """Return the class names of a run's classifier, from the manifest in its folder; None for other models."""
    manifest = Manifest.load(path.parent)
    return None if manifest is None else manifest.counts.get("classes")


def _mobilenet_width(model: str) -> tuple[str, str]:
    """Split `mobilenet_0.75` into the name and the width; other names have no width."""
    found = re.fullmatch(r"(mobilenet(?:_v2)?)_(\d+(?:\.\d+)?)", model)
    return (found[1], found[2]) if found else (model, "")


def imagenet_names() -> list[str]:
    """Return the 1,000 class names of ImageNet, from the index that Keras downloads and caches."""
    from keras.applications.imagenet_utils import decode_predictions

    rows = decode_predictions(np.arange(1000, 0, -1, dtype=np.float32)[None], top=1000)[0]
    return [name for _, name, _ in rows]
