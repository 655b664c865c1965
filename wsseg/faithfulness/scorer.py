"""A classifier as a function from images to probabilities, in batches of one fixed size."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, require_whole

OUTPUTS = ("auto", "probabilities", "softmax", "sigmoid")
_PROBABILITIES = ("softmax", "sigmoid")
_PASSED = ("activation", "reshape", "flatten", "dropout", "identity")
"""Layer types that do not change the kind of output (probabilities or logits) if their activation is linear."""


class Scorer:
    """Class probabilities of many images, computed by one traced function of fixed batch size.

    Args:
        model: Any Keras classifier of one image, from `(B, H, W, C)` to `(B, K)`.
        preprocess: Function from `(B, H, W, C)` float32, RGB in [0, 255], to the model's input; None for no change. It
            may modify its argument, which is a new array.
        batch_size: Images per forward pass; the last batch is padded, so that no new trace is needed.
        outputs: Kind of the model's output: `probabilities`, or logits for which `softmax` (one class per image) or
            `sigmoid` (several classes per image) gives the probabilities. `auto` looks for a final softmax or sigmoid.
            If there is none, it chooses `sigmoid` for the classifiers of this package, which are trained on several
            labels per image, and `softmax` for others.

    Attributes:
        size_hw: Height and width that the model takes; None for any.
        channels: Number of channels C that the model takes; None for any.
        outputs: The kind of output that is used, never `auto`.

    Raises:
        InputError: The model has another kind of input or output, or `auto` cannot find the kind of output.

    Example:
        >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
        >>> scorer = Scorer(model, batch_size=2)
        >>> scorer(np.zeros((3, 4, 4, 3))).round(1).tolist()
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """

    def __init__(
        self,
        model: keras.Model,
        preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
        batch_size: int = 16,
        outputs: str = "auto",
    ):
        batch_size = require_whole("batch_size", batch_size, hint="try 16")
        if outputs not in OUTPUTS:
            raise InputError(f"`outputs` must be one of {', '.join(OUTPUTS)}; got {outputs!r}")
        _check(model)
        self.model = model
        self.preprocess = preprocess
        self.batch_size = int(batch_size)
        self.outputs = _outputs_of(model) if outputs == "auto" else outputs
        inputs = getattr(model, "inputs", None)
        self.size_hw = tuple(inputs[0].shape[1:3]) if inputs else (None, None)
        self.channels = inputs[0].shape[-1] if inputs else None
        # Models built from a list or a dict of one tensor need their input in this form.
        structure = None if isinstance(model, keras.Sequential) or not inputs else model.input
        self._listed = isinstance(structure, (list, dict))
        self._function = tf.function(self._probabilities, reduce_retracing=True)

    def __call__(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return the probabilities of images.

        Args:
            images: Images `(H, W, C)`, RGB in [0, 255], in an array, a list or a generator (only one batch of it is
                held in memory at once). Sizes may differ if the model allows it.

        Returns:
            `(N, K)` float32; `(0, 0)` if there is no image.

        Raises:
            InputError: The model does not take an image's shape, or the model gives NaN or infinity.
        """
        results: list[np.ndarray] = []
        batch: list[np.ndarray] = []
        for image in images:
            image = np.asarray(image, np.float32)
            self._check_image(image)
            if batch and (len(batch) == self.batch_size or batch[0].shape != image.shape):
                results.append(self._run(batch))
                batch = []
            batch.append(image)
        if batch:
            results.append(self._run(batch))
        return np.concatenate(results) if results else np.zeros((0, 0), np.float32)

    def of_class(self, images: Iterable[np.ndarray], target: int) -> np.ndarray:
        """Return the probability of one class.

        Args:
            images: Images, as in a call of the scorer.
            target: Index of the class.

        Returns:
            `(N,)` float32.

        Raises:
            InputError: The model has no such class; further as in a call of the scorer.
        """
        found = self(images)
        if len(found) and not 0 <= target < found.shape[1]:
            raise InputError(f"`target` must be from 0 to {found.shape[1] - 1}; got {target}")
        return found[:, target] if len(found) else np.zeros(0, np.float32)

    def _run(self, batch: list[np.ndarray]) -> np.ndarray:
        filled = np.stack([*batch, *[batch[-1]] * (self.batch_size - len(batch))])
        given = filled if self.preprocess is None else self.preprocess(filled)
        found = self._function(tf.constant(np.asarray(given, np.float32))).numpy()[: len(batch)]
        if not np.isfinite(found).all():
            raise InputError(
                f"model `{self.model.name}` gives nan or infinity; check its weights and --preprocess"
            )
        return found

    def _probabilities(self, images: tf.Tensor) -> tf.Tensor:
        given = keras.tree.map_structure(lambda _: images, self.model.input) if self._listed else images
        scores = tf.cast(keras.tree.flatten(self.model(given, training=False))[0], tf.float32)
        if self.outputs == "softmax":
            return tf.nn.softmax(scores)
        return tf.sigmoid(scores) if self.outputs == "sigmoid" else scores

    def _check_image(self, image: np.ndarray) -> None:
        wanted = (*self.size_hw, self.channels)
        if image.ndim != 3 or any(side not in (None, got) for side, got in zip(wanted, image.shape)):
            colours = image.ndim != 3 or self.channels not in (None, image.shape[-1])
            raise InputError(
                f"an image must be {wanted} (height, width, channels; None: any) for model `{self.model.name}`; got "
                f"{image.shape}; {'give it that number of channels, the last axis' if colours else 'resize it'}"
            )


def _check(model: keras.Model) -> None:
    """Raise an error if the model is known not to be a classifier of one image."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    given, made = ([tuple(tensor.shape) for tensor in side or ()] for side in (inputs, outputs))
    takes = not given or (len(given) == 1 and len(given[0]) == 4)
    gives = not made or (len(made) == 1 and len(made[0]) == 2)
    if not takes or not gives:
        raise InputError(
            f"model `{model.name}` must take one image (batch, height, width, channels) and give (batch, classes); "
            f"it takes {given} and gives {made}"
        )


def _outputs_of(model: keras.Model) -> str:
    """Find the kind of a model's output from its last layers: "probabilities", "softmax" or "sigmoid"."""
    if not getattr(model, "outputs", None):
        raise InputError(
            f"model `{model.name}` is subclassed, so its kind of output is unknown; set `outputs` (--outputs) to "
            "probabilities, softmax or sigmoid"
        )
    if _last_activation(model.outputs[0]) in _PROBABILITIES:
        return "probabilities"
    return "sigmoid" if type(model).__module__.startswith("wsseg.") else "softmax"


def _last_activation(tensor: Any) -> str:
    """Return the activation, or else the type name, of the last operation that is not listed in `_PASSED`."""
    while True:
        operation, node_index, _ = tensor._keras_history
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            tensor = operation.outputs[0]
            continue
        kind = type(operation).__name__.lower()
        activation = getattr(getattr(operation, "activation", None), "__name__", None)
        before = operation._inbound_nodes[node_index].input_tensors
        if kind not in _PASSED or activation not in (None, "linear") or not before:
            return activation or kind
        tensor = before[0]
