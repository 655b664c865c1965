"""A classifier as a function from images to probabilities, in batches of one fixed size."""

import warnings
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, require_whole
from wsseg.explainers.output_kind import output_kind
from wsseg.explainers.replaced_weights import Replaced

OUTPUTS = ("auto", "probabilities", "softmax", "sigmoid")


class Scorer:
    """Class probabilities of many images, computed by one traced function of fixed batch size.

    Args:
        model: Any Keras classifier of one image, from `(B, H, W, C)` to `(B, K)`.
        preprocess: Function from `(B, H, W, C)` float32, RGB in [0, 255], to the model's input; None for no change. It
            may modify its argument, which is a new array.
        batch_size: Images per forward pass; the last batch is padded, so that no new trace is needed.
        outputs: Kind of the model's output: `probabilities`, or logits for which `softmax` (one class per image) or
            `sigmoid` (several classes per image, or one) gives the probabilities. `auto` finds it as the explainers
            do (`wsseg.explainers.output_kind`). Of logits whose kind nothing tells, it assumes `softmax` and warns.

    Attributes:
        size_hw: Height and width that the model takes; None for any.
        channels: Number of channels C that the model takes; None for any.
        outputs: The kind of output that is used, never `auto`.

    Raises:
        InputError: The model has another kind of input or output, or `auto` cannot find the kind of output. In a
            call: outputs that are said to be probabilities are not in [0, 1].

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
        self._asked = outputs
        self.outputs = self._kind()
        inputs = getattr(model, "inputs", None)
        self.size_hw = tuple(inputs[0].shape[1:3]) if inputs else (None, None)
        self.channels = inputs[0].shape[-1] if inputs else None
        # Models built from a list or a dict of one tensor need their input in this form.
        structure = None if isinstance(model, keras.Sequential) or not inputs else model.input
        self._listed = isinstance(structure, (list, dict))
        self._function = tf.function(self._probabilities, reduce_retracing=True)
        self._replaced = Replaced(model)

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

    def _kind(self) -> str:
        if self._asked != "auto":
            return self._asked
        found = output_kind(self.model)
        if found.assumed:
            warnings.warn(found.assumed, stacklevel=3)
        return found.kind if found.logits else "probabilities"

    def _run(self, batch: list[np.ndarray]) -> np.ndarray:
        filled = np.stack([*batch, *[batch[-1]] * (self.batch_size - len(batch))])
        given = filled if self.preprocess is None else self.preprocess(filled)
        if self._replaced.check():
            self.outputs = self._kind()
            self._function = tf.function(self._probabilities, reduce_retracing=True)
        found = self._function(tf.constant(np.asarray(given, np.float32))).numpy()[: len(batch)]
        if not np.isfinite(found).all():
            raise InputError(
                f"model `{self.model.name}` gives nan or infinity; check its weights and --preprocess"
            )
        if found.min() < -1e-3 or found.max() > 1 + 1e-3:
            raise InputError(
                f"the outputs of model `{self.model.name}` are not probabilities: they reach from {found.min():.4g} to "
                f"{found.max():.4g}; set `outputs` (--outputs) to softmax or sigmoid if they are logits"
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
