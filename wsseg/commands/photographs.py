"""`wsseg explain`: the classes of a photograph, and maps of where a classifier sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.channel_images import ChannelImage
from wsseg.commands.classifiers import LoadedModel
from wsseg.errors import InputError, nearest
from wsseg.explainers.core import Explainer, scaled

ANY_SIZE = 448
"""Long side of a photograph for a model that takes any size, pixels."""

TOP = 3
"""Number of classes that are explained where an image has one class of several."""

THRESHOLD = 0.5
"""Probability from which a class is explained where an image may have several."""

Size = int | tuple[int, int] | None
"""Input size for a model that takes any: the long side, height and width, or None for `ANY_SIZE`."""


@dataclass(frozen=True)
class Sight:
    """A photograph, the model's input made from it, and the classes to explain.

    Attributes:
        image: `(H, W, 3)` uint8 RGB: The photograph, as pictures show it.
        batch: `(1, h, w, C)`: The model's input, resized and preprocessed.
        resized: `(h, w, 3)` uint8: The photograph at the model's size.
        classes: `(index, name, score)` of the classes to explain. The score is the probability, or the model's output
            if it is not known how it becomes one.
        read: The photograph with the model's channels.
        scores: `(K,)` float32: The scores of all classes.
    """

    image: np.ndarray
    batch: np.ndarray
    resized: np.ndarray
    classes: list[tuple[int, str, float]]
    read: ChannelImage
    scores: np.ndarray


@dataclass(frozen=True)
class Maps:
    """The maps of a photograph by one method.

    Attributes:
        maps: `(T, H, W)` float32 in [0, 1], at the photograph's size.
        raw: `(T, h, w)` float32, the method's own values at the layer's size, not scaled; None for a method whose maps
            at the image's size are not made from them.
    """

    maps: np.ndarray
    raw: np.ndarray | None


def look(
    photograph: Path,
    classifier: LoadedModel,
    top: int | None = TOP,
    wanted: Sequence[str | int] = (),
    threshold: float | None = None,
    size: Size = None,
) -> Sight:
    """Classify a photograph.

    The photograph is resized to the model's input size, whatever its shape; for a model of any size it keeps its shape
    nearly.

    Args:
        photograph: Image file.
        classifier: Classifier from `load_classifier`.
        top: Largest number of classes to explain, the most likely first; None for all above the threshold.
        wanted: Names of classes to explain instead, or their numbers, also as text.
        threshold: Lowest score of a class to explain; if none has it, the most likely one is explained. None for no
            threshold; if `top` is None too, the classes are as `chosen` says.
        size: See `input_size`.

    Raises:
        InputError: The photograph cannot be read, the model is not an image classifier, or a class does not exist.
    """
    names = classifier.names()
    read = classifier.read(photograph)
    size_hw = input_size(classifier, read.values.shape[:2], size)
    batch = classifier.batch(read.resized(size_hw)[None])
    kind = classifier.kind
    scores = kind(classifier.scores(batch)[0])
    indices = [one if isinstance(one, int) else class_index(one, names) for one in wanted]
    indices = indices or chosen(scores, kind.several, top, threshold)
    shown = Image.fromarray(read.shown).resize(size_hw[::-1], Image.Resampling.BILINEAR)
    classes = [(index, names[index], float(scores[index])) for index in indices]
    return Sight(read.shown, batch, np.asarray(shown), classes, read, scores)


def chosen(scores: np.ndarray, several: bool, top: int | None, threshold: float | None) -> list[int]:
    """Return the classes to explain, the most likely first, at least one.

    Args:
        scores: `(K,)` scores.
        several: Whether an image may have several classes. Then, if nothing else is given, all with a probability of
            `THRESHOLD` or more are explained; otherwise the `TOP` most likely ones.
        top: Largest number of classes, or None.
        threshold: Lowest score, or None.

    Example:
        >>> scores = np.array([0.1, 0.6, 0.9, 0.2])
        >>> chosen(scores, True, None, None), chosen(scores, False, None, None), chosen(scores, True, None, 0.95)
        ([2, 1], [2, 1, 3], [2])
    """
    if top is None and threshold is None:
        top, threshold = (None, THRESHOLD) if several else (TOP, None)
    order = np.argsort(-scores, kind="stable").tolist()
    return [i for i in order if threshold is None or scores[i] >= threshold][:top] or order[:1]


def input_size(classifier: LoadedModel, size_hw: tuple[int, int], size: Size = None) -> tuple[int, int]:
    """Return the height and width at which a model gets an image.

    Args:
        classifier: The classifier.
        size_hw: Height and width of the image.
        size: For a model that takes any size: its long side, where both sides are rounded to multiples of 32; or
            exactly height and width; None for `ANY_SIZE`.

    Raises:
        InputError: The model takes another size.
    """
    own = tuple(classifier.model.inputs[0].shape[1:3])
    if isinstance(size, tuple):
        wanted = size
    elif None in own:
        scale = (size or ANY_SIZE) / max(size_hw)
        rounded = (max(round(side * scale / 32), 1) * 32 for side in size_hw)
        wanted = tuple(side or other for side, other in zip(own, rounded))
    else:
        wanted = own if size is None else (size, size)
    if any(side is not None and side != other for side, other in zip(own, wanted)):
        raise InputError(
            f"--size {'x'.join(map(str, wanted))}: the model takes images of {own[0]} x {own[1]} (height x width) and "
            "others are resized to it; remove --size"
        )
    return wanted


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
    return maps_with_raw(sight, classifier, method, scale).maps


def maps_with_raw(sight: Sight, classifier: LoadedModel, method: str, scale: float = 1.0) -> Maps:
    """Explain the classes of a photograph; see `maps_of`."""
    batch, explainer = sight.batch, classifier.explainer(method)
    if scale != 1:
        if explainer.input_size != (None, None):
            raise InputError(
                f"several scales need a model that takes any input size; this one takes only {explainer.input_size}"
            )
        size_hw = tuple(max(round(side * scale / 32), 1) * 32 for side in sight.resized.shape[:2])
        batch = classifier.batch(sight.read.resized(size_hw)[None])
    targets = np.array([[index for index, _, _ in sight.classes]])
    raw = None
    if (
        type(explainer).__call__ is Explainer.__call__
    ):  # the map is made from the raw one, which is worth keeping
        raw = explainer.raw(batch, targets)
        found = scaled(explainer.enlarged(np.maximum(raw, 0), batch.shape[1:3]))[0]
    else:
        found = explainer(batch, targets)[0]
    size = sight.image.shape[1::-1]
    resized = [np.array(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in found]
    return Maps(np.clip(np.stack(resized), 0, 1), None if raw is None else raw[0])


def explain(
    photograph: Path,
    classifier: LoadedModel,
    methods: Sequence[str],
    top: int = TOP,
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
        `(index, name, score)` of each explained class; method -> maps, `(T, H, W)` float32 in [0, 1] at the
        photograph's size; the photograph, `(H, W, 3)` uint8.

    Raises:
        InputError: The photograph cannot be read, or a class or method does not exist.
    """
    sight = look(photograph, classifier, top, wanted)
    return sight.classes, {method: maps_of(sight, classifier, method) for method in methods}, sight.image


def class_index(name: str, names: Sequence[str]) -> int:
    """Return the index of a class that is given by its name or number.

    Raises:
        InputError: There is none, or several have this name.
    """
    if (count := list(names).count(name)) > 1:
        indices = [str(index) for index, other in enumerate(names) if other == name]
        raise InputError(
            f"{count} classes of the model are called `{name}`; give a number: {', '.join(indices)}"
        )
    if name in names:
        return names.index(name)
    if name.isdecimal() and len(name) < 10 and int(name) < len(names):
        return int(name)
    hint = nearest(name, names)
    if name.lstrip("-").isdigit() or (len(names) > 50 and hint.startswith("choose")):
        hint = f"give a name, or a number from 0 to {len(names) - 1}"
    raise InputError(f"the model has no class `{name}`; {hint}")
