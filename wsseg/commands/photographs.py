"""`wsseg explain`: the top classes of a photograph, and maps of where a classifier sees them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from wsseg.artifacts import Manifest
from wsseg.errors import InputError, nearest
from wsseg.explainers import as_text
from wsseg.explainers.core import Explainer
from wsseg.file_names import CLASSIFIER, OWNER
from wsseg.image_files import read_image
from wsseg.saved_models import load_model
from wsseg.stages import STAGES

ANY_SIZE = 448
"""Long side of a photograph for a model that takes any size, pixels."""

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
class LoadedModel:
    """A classifier with its preprocessing.

    Attributes:
        model: Model that maps preprocessed images to class scores.
        preprocess: Function that maps `(B, H, W, 3)` float32 RGB in [0, 255] to the model's input.
        class_names: Names of the model's outputs, or None for numbers.
    """

    model: keras.Model
    preprocess: Callable[[np.ndarray], np.ndarray]
    class_names: Sequence[str] | None = None
    _explainers: dict[str, Explainer] = field(default_factory=dict, repr=False, compare=False)

    def explainer(self, method: str) -> Explainer:
        """Return the explainer of this name. It is created and traced once for all photographs."""
        if method not in self._explainers:
            self._explainers[method] = as_text.create(method, self.model, self.preprocess)
        return self._explainers[method]


def load_classifier(
    model: str,
    weights: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocess: str | None = None,
) -> LoadedModel:
    """Load a classifier to explain.

    Args:
        model: Run folder, whose classifier is taken; `.keras` file of a functional or sequential classifier; or a
            name in `APPLICATIONS`, which has its own preprocessing.
        weights: Weights for a name in `APPLICATIONS`: "imagenet", or a weights file with the 1000-class top.
        class_names: Names of the outputs.
        preprocess: Preprocessing for a `.keras` file that has none inside: none (the model takes [0, 255]; the
            default), unit (to [0, 1]), tf (to [-1, 1]), or a name in `APPLICATIONS`.

    Raises:
        InputError: The file or name does not exist, or the weights belong to another network.
    """
    path = Path(model).expanduser()
    if (path / OWNER).exists():
        path = classifier_of_run(path)
    if path.suffix == ".keras" or path.is_file():
        if weights is not None:
            raise InputError(f"--weights {weights}: {path} has its own weights; remove --weights")
        loaded = load_model(path)
        names = class_names or getattr(loaded, "class_names", None) or names_of_run(path)
        return LoadedModel(loaded, _preprocessing(preprocess or "none"), names)
    name, width = (model, "") if model in APPLICATIONS else _mobilenet_width(model)
    if name not in APPLICATIONS:
        raise InputError(
            f"--model {model} is no run folder, and neither a .keras file nor a network; {nearest(model, APPLICATIONS)}"
        )
    if preprocess is not None:
        raise InputError(
            f"--preprocess {preprocess} is for .keras files; --model {model} has its own; remove --preprocess"
        )
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
        network = build(
            weights="imagenet" if weights == "imagenet" else str(Path(weights).expanduser()), **options
        )
    except Exception as error:  # from Keras: ValueError, or a bare Exception if a download fails
        raise InputError(f"weights {weights} do not fit {model} with its 1000-class top: {error}") from error
    if class_names is None and weights == "imagenet":
        class_names = imagenet_names()
    return LoadedModel(network, _preprocessing(name), class_names)


def classifier_of_run(run: Path) -> Path:
    """Return the file of a run's classifier.

    Raises:
        InputError: The run has trained none yet.
    """
    path = run / STAGES["classify"].folder / CLASSIFIER
    if not path.exists():
        raise InputError(
            f"run {run} has no trained classifier yet (no {path.relative_to(run)}); train it with "
            f"`wsseg classify --run {run}`, or give a .keras file"
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


def _preprocessing(name: str):
    simple = {"none": lambda x: x, "unit": lambda x: x / 255.0, "tf": lambda x: x / 127.5 - 1.0}
    if name in simple:
        return simple[name]
    if name not in APPLICATIONS:
        raise InputError(f"unknown preprocessing `{name}`; {nearest(name, [*simple, *APPLICATIONS])}")
    module = getattr(keras.applications, APPLICATIONS[name][1])
    return lambda x: module.preprocess_input(np.array(x))


@dataclass(frozen=True)
class Sight:
    """A photograph, the model's input made from it, and the classes to explain.

    Attributes:
        image: `(H, W, 3)` uint8 RGB: The photograph.
        batch: `(1, h, w, 3)`: The model's input, resized and preprocessed.
        resized: `(h, w, 3)` float32 in [0, 255]: The resized photograph before preprocessing.
        classes: `(index, name, score)` of the classes to explain; the score is the model's output.
    """

    image: np.ndarray
    batch: np.ndarray
    resized: np.ndarray
    classes: list[tuple[int, str, float]]


def look(photograph: Path, classifier: LoadedModel, top: int = 3, wanted: Sequence[str] = ()) -> Sight:
    """Classify a photograph.

    Args:
        photograph: Image file.
        classifier: Classifier from `load_classifier`.
        top: Number of classes to explain, the most likely first.
        wanted: Names or numbers of classes to explain instead of the top classes.

    Raises:
        InputError: The photograph cannot be read, the model is not an image classifier, or a class does not exist.
    """
    image = read_image(photograph)
    model = classifier.model
    given = [
        [tuple(tensor.shape) for tensor in getattr(model, side, None) or ()] for side in ("inputs", "outputs")
    ]
    fits = [len(shapes) == 1 for shapes in given]
    if not all(fits) or len(given[0][0]) != 4 or given[0][0][-1] not in (3, None) or len(given[1][0]) != 2:
        raise InputError(
            f"model `{model.name}` must take one image (batch, height, width, 3) and give (batch, classes); "
            f"it takes {given[0]} and gives {given[1]}"
        )
    height, width = model.inputs[0].shape[1:3]
    if height is None or width is None:
        scale = ANY_SIZE / max(image.shape[:2])
        height, width = (max(round(side * scale / 32), 1) * 32 for side in image.shape[:2])
    resized = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    batch = classifier.preprocess(resized[None])
    inputs = keras.tree.map_structure(
        lambda _: batch, model.input
    )  # a list of one, if the model was built from a list
    scores = keras.ops.convert_to_numpy(keras.tree.flatten(model(inputs, training=False))[0])[0]
    names = list(classifier.class_names or [f"class {i}" for i in range(len(scores))])
    if len(names) != len(scores):
        raise InputError(f"{len(names)} class names were given for a model with {len(scores)} classes")
    indices = [_class_index(name, names) for name in wanted] or np.argsort(-scores, kind="stable")[
        :top
    ].tolist()
    return Sight(image, batch, resized, [(i, names[i], float(scores[i])) for i in indices])


def maps_of(sight: Sight, classifier: LoadedModel, method: str, scale: float = 1.0) -> np.ndarray:
    """Explain the classes of a photograph.

    Args:
        sight: Result of `look`.
        classifier: Classifier that was given to `look`.
        method: Name of an explainer.
        scale: Scale factor of the model's input size, for a model that takes any size.

    Returns:
        `(T, H, W)` float32 in [0, 1], at the photograph's size.

    Raises:
        InputError: The explainer does not exist or does not fit the model, or the model takes only one size.
    """
    batch = sight.batch
    if scale != 1:
        explainer = classifier.explainer(method)
        if explainer.input_size != (None, None):
            raise InputError(
                f"several scales need a model that takes any input size; this one takes only {explainer.input_size}"
            )
        size = tuple(max(round(side * scale / 32), 1) * 32 for side in sight.resized.shape[1::-1])
        scaled = Image.fromarray(sight.image).resize(size, Image.Resampling.BILINEAR)
        batch = classifier.preprocess(np.asarray(scaled, np.float32)[None])
    found = classifier.explainer(method)(batch, np.array([[index for index, _, _ in sight.classes]]))[0]
    size = sight.image.shape[1::-1]
    return np.stack([np.array(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in found])


def explain(
    photograph: Path,
    classifier: LoadedModel,
    methods: Sequence[str],
    top: int = 3,
    wanted: Sequence[str] = (),
) -> tuple[list[tuple[int, str, float]], dict[str, np.ndarray], np.ndarray]:
    """Classify a photograph and explain its top classes.

    Args:
        photograph: Image file.
        classifier: Classifier from `load_classifier`.
        methods: Names of explainers.
        top: Number of classes to explain, the most likely first.
        wanted: Names or numbers of classes to explain instead of the top classes.

    Returns:
        `(index, name, score)` of each explained class (the score is the model's output); method -> maps,
        `(T, H, W)` float32 in [0, 1] at the photograph's size; the photograph, `(H, W, 3)` uint8.

    Raises:
        InputError: The photograph cannot be read, or a class or method does not exist.
    """
    sight = look(photograph, classifier, top, wanted)
    return sight.classes, {method: maps_of(sight, classifier, method) for method in methods}, sight.image


def _class_index(name: str, names: Sequence[str]) -> int:
    if (count := list(names).count(name)) > 1:
        indices = [str(index) for index, other in enumerate(names) if other == name]
        raise InputError(
            f"{count} classes of the model are called `{name}`; give a number: {', '.join(indices)}"
        )
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(names):
        return int(name)
    hint = nearest(name, names)
    if name.lstrip("-").isdigit() or (len(names) > 50 and hint.startswith("choose")):
        hint = f"give a name, or a number from 0 to {len(names) - 1}"
    raise InputError(f"the model has no class `{name}`; {hint}")
