"""`wsseg explain`: top classes and an overlay picture for each method, for photographs and any saved classifier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from wsseg import explainers
from wsseg.catalogue import nearest
from wsseg.errors import InputError
from wsseg.loading.image_files import read_image
from wsseg.saved_models import load_model

ANY_SIZE = 448
"""Long side, pixels, of a photograph given to a model that takes any size."""

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
class Classifier:
    """A classifier and how to feed it.

    Attributes:
        model: Preprocessed images -> class scores.
        preprocess: `(B, H, W, 3)` float32 RGB in [0, 255] -> what the model takes.
        class_names: Names of its outputs, or None for numbers.
    """

    model: keras.Model
    preprocess: Callable[[np.ndarray], np.ndarray]
    class_names: Sequence[str] | None = None


def load_classifier(
    model: str, weights: str | None = None, class_names: Sequence[str] | None = None, preprocess: str = "none"
) -> Classifier:
    """Load a classifier to explain.

    Args:
        model: A `.keras` file of any functional or sequential classifier, or a keras.applications name of
            `APPLICATIONS`, with its own preprocessing.
        weights: For an application: "imagenet" or a weights file with its 1000-class top.
        class_names: Names of the outputs.
        preprocess: For a `.keras` file without preprocessing of its own: none (it takes [0, 255]), unit (to
            [0, 1]), tf (to [-1, 1]), or an application's name.

    Raises:
        InputError: No such file or name, or the weights are another network's.
    """
    path = Path(model).expanduser()
    if path.suffix == ".keras" or path.exists():
        loaded = load_model(path)
        return Classifier(loaded, _preprocessing(preprocess), class_names)
    name, _, width = model.partition("_0.")
    if name not in APPLICATIONS:
        raise InputError(f"--model {model} is neither a .keras file nor a network; {nearest(model, APPLICATIONS)}")
    options = {"alpha": float(f"0.{width}")} if width else {}
    if name == "mobilenet" and not width and weights and weights != "imagenet":
        from wsseg.backbones.weights import mobilenet_alpha

        options = {"alpha": mobilenet_alpha(None, weights)}
    build = getattr(keras.applications, APPLICATIONS[name][0])
    if weights is None:
        raise InputError(f"--model {model} needs --weights: `imagenet`, or a weights file with the 1000-class top")
    if weights != "imagenet" and not Path(weights).expanduser().is_file():
        raise InputError(f"weights file {weights} does not exist; give a file, or `imagenet` to download")
    try:
        network = build(weights=weights, **options)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(f"weights {weights} do not fit {model} with its 1000-class top: {error}") from error
    if class_names is None and weights == "imagenet":
        class_names = imagenet_names()
    return Classifier(network, _preprocessing(name), class_names)


def imagenet_names() -> list[str]:
    """Return ImageNet's 1,000 class names, from the index that Keras downloads and caches."""
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


def explain(
    photograph: Path, classifier: Classifier, methods: Sequence[str], top: int = 3, wanted: Sequence[str] = ()
) -> tuple[list[tuple[int, str, float]], dict[str, np.ndarray], np.ndarray]:
    """Classify a photograph and explain its top classes.

    Args:
        photograph: The image file.
        classifier: From `load_classifier`.
        methods: Names of explainers.
        top: How many classes, the likeliest first.
        wanted: Class names or numbers to explain instead.

    Returns:
        `(index, name, score)` of each explained class (the score is the model's output); method -> `(T, H, W)`
        float32 maps in [0, 1] at the photograph's size; the photograph, `(H, W, 3)` uint8.

    Raises:
        InputError: The photograph can't be read, or a class or method does not exist.
    """
    image = read_image(photograph)
    model = classifier.model
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        raise InputError(
            f"model `{model.name}` must take one image and give (batch, classes); it gives "
            f"{[tuple(output.shape) for output in model.outputs]}"
        )
    height, width = model.inputs[0].shape[1:3]
    if height is None or width is None:
        scale = ANY_SIZE / max(image.shape[:2])
        height, width = (max(round(side * scale / 32), 1) * 32 for side in image.shape[:2])
    small = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    batch = classifier.preprocess(small[None])
    scores = np.asarray(model(batch, training=False), np.float32)[0]
    names = list(classifier.class_names or [f"class {i}" for i in range(len(scores))])
    if len(names) != len(scores):
        raise InputError(f"{len(names)} class names were given for a model of {len(scores)} classes")
    indices = [_class_index(name, names) for name in wanted] or np.argsort(-scores, kind="stable")[:top].tolist()
    maps = {}
    for method in methods:
        found = explainers.create(method, model=model)(batch, np.array([indices]))[0]
        maps[method] = np.stack(
            [np.array(Image.fromarray(m).resize(image.shape[1::-1], Image.Resampling.BILINEAR)) for m in found]
        )
    return [(i, names[i], float(scores[i])) for i in indices], maps, image


def _class_index(name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(names):
        return int(name)
    hint = nearest(name, names) if len(names) < 50 else nearest(name, names).split(":")[0]
    raise InputError(f"the model has no class `{name}`; {hint}")

