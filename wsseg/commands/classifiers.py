"""A loaded classifier with all that belongs to its input: how images are read and preprocessed, and what it gives."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg import explainers
from wsseg.channel_images import ChannelImage, ChannelReader
from wsseg.commands.preprocessing import Preprocessing
from wsseg.commands.score_kinds import ScoreKind, score_kind
from wsseg.errors import InputError
from wsseg.explainers import as_text
from wsseg.explainers.core import Explainer

WITHOUT_LAYERS = ("occlusion", "rise", "smooth_grad", "integrated_gradients")
"""Explainers that need the model's answers, or its gradient to the image, and no layer."""


@dataclass(frozen=True)
class LoadedModel:
    """A classifier with its preprocessing.

    Attributes:
        model: Model that maps preprocessed images to class scores.
        preprocess: Function that maps `(B, H, W, C)` float32, in [0, 255] for pictures, to the model's input.
        class_names: Names of the model's outputs, or None for numbers.
        reader: Reads image files; the number of channels is the model's.
        outputs: Kind of the outputs that the user states, or "auto".
        path: File of the model, or None.
        remarks: What the user should know about the model's input.
    """

    model: keras.Model
    preprocess: Callable[[np.ndarray], np.ndarray]
    class_names: Sequence[str] | None = None
    reader: ChannelReader = field(default_factory=ChannelReader)
    outputs: str = "auto"
    path: Path | None = None
    remarks: tuple[str, ...] = ()
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False, init=False)

    @property
    def channels(self) -> int:
        """Number of channels of the model's image; 3 if it takes any."""
        return channels_of(self.model)

    def explainer(self, method: str) -> Explainer:
        """Return the explainer of this name. It is created and traced once for all photographs.

        Raises:
            InputError: There is none, or it needs a layer of a SavedModel, which has none that can be reached.
        """
        if method not in self._made:
            check_method(self.model, method)
            self._made[method] = as_text.create(method, self.model, self.preprocess)
        return self._made[method]

    def read(self, path: Path) -> ChannelImage:
        """Read an image file with the model's channels.

        Raises:
            InputError: See `ChannelReader`; or the values of an array are not those that the preprocessing is meant
                for.
        """
        image = replace(self.reader, channels=self.channels)(path)
        meant = isinstance(self.preprocess, Preprocessing) and self.preprocess.takes_bytes
        if meant and (image.is_array or self.reader.scale is not None):
            most = float(image.values.max()) * image.factor
            whole = image.values.dtype == np.uint8 and image.factor == 1
            if most > 255.5 or (0 < most <= 1 and not whole) or float(image.values.min()) * image.factor < 0:
                raise InputError(
                    f"image {path} has values from {float(image.values.min()) * image.factor:g} to {most:g}, and the "
                    "preprocessing takes 0 to 255; state with --scale what the stored values are multiplied by to "
                    "become so, or replace --preprocess by --scale, --mean and --std"
                )
        return image

    def batch(self, images: np.ndarray) -> np.ndarray:
        """Preprocess images `(B, H, W, C)` and give them the type of the model's input."""
        found, dtype = np.asarray(self.preprocess(images)), self.model.inputs[0].dtype
        if "int" in dtype:
            limits = np.iinfo(dtype)
            return np.clip(np.rint(found), limits.min, limits.max).astype(dtype)
        return found

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Return the model's outputs `(B, K)` float32 of a preprocessed batch; one trace for all sizes.

        Raises:
            InputError: The outputs are NaN or infinity.
        """
        if "scores" not in self._made:
            signature = [tf.TensorSpec(self.model.inputs[0].shape, self.model.inputs[0].dtype)]
            # A partial, since TensorFlow counts the traces of all functions with the same code together, and warns.
            function = tf.function(partial(_outputs, self.model), input_signature=signature, autograph=False)
            self._made["scores"] = function
        found = np.asarray(self._made["scores"](tf.cast(batch, self.model.inputs[0].dtype)), np.float32)
        if not np.isfinite(found).all():
            raise InputError(
                f"model `{self.model.name}` gives NaN or infinity; check its weights and --preprocess"
            )
        return found

    @property
    def kind(self) -> ScoreKind:
        """The kind of the model's outputs."""
        if "kind" not in self._made:
            self._made["kind"] = score_kind(self.model, self.path, self.outputs, self._probe)
        return self._made["kind"]

    @property
    def scorer_outputs(self) -> str:
        """The kind of the outputs for `wsseg.faithfulness.Scorer`, as far as it is known here.

        The scorer cannot look into a SavedModel, and knows no loss of a model that is not compiled.

        Raises:
            InputError: It is a SavedModel, and its answers do not show the kind either.
        """
        if self.outputs == "auto" and self.kind.logits:
            return "sigmoid" if self.kind.several else "softmax"
        if self.outputs != "auto" or not is_saved_model(self.model):
            return self.outputs
        if self.kind.name == "score":
            raise InputError(
                "it is not known what this SavedModel's outputs are; state --outputs probabilities, softmax or sigmoid"
            )
        return "probabilities"

    def _probe(self) -> np.ndarray:
        """Return the outputs of noise and of a gray image, and of the same far out of range, where a score is large."""
        size_hw = [side or 64 for side in self.model.inputs[0].shape[1:3]]
        noise = np.random.default_rng(0).uniform(0, 255, (*size_hw, self.channels)).astype(np.float32)
        batches = [self.batch(image[None]) for image in (noise, np.full_like(noise, 127))]
        found = [self.scores(batch) for batch in batches]
        for factor in (100, -100) if batches[0].dtype.kind == "f" else ():
            with contextlib.suppress(InputError):  # it may well overflow there
                found.append(self.scores(batches[0] * factor))
        return np.concatenate(found)

    def names(self) -> list[str]:
        """Return a name for each output.

        Raises:
            InputError: The model takes no single image or gives other than `(batch, classes)`; or there are more or
                fewer names than outputs.
        """
        check_classifier(self.model)
        count = self.model.outputs[0].shape[-1]
        names = list(self.class_names or [f"class {index}" for index in range(count)])
        if len(names) != count:
            one = "; its one output is the class that it says yes to: give one name" if count == 1 else ""
            raise InputError(f"{len(names)} class names were given for a model with {count} classes{one}")
        return names


def _outputs(model: keras.Model, image: Any) -> Any:
    # A list or a dict of one, if the model was built from such.
    given = keras.tree.map_structure(lambda _: image, model.input)
    return keras.tree.flatten(model(given, training=False))[0]


def channels_of(model: keras.Model) -> int:
    """Return the number of channels of a model's image; 3 if it takes any or is not known."""
    shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or ()]
    return next((shape[-1] for shape in shapes if len(shape) == 4 and shape[-1] is not None), 3)


def check_classifier(model: keras.Model) -> None:
    """Raise an error unless a model takes one image and gives `(batch, classes)`."""
    given, made = (
        [tuple(tensor.shape) for tensor in getattr(model, side, None) or ()] for side in ("inputs", "outputs")
    )
    if not given:
        raise InputError(
            f"model `{model.name}` is a subclassed {type(model).__name__}, whose input is not known; explain it in "
            "Python: `wsseg.explainers.create(name, model, layer=...)`"
        )
    takes = len(given) == 1 and len(given[0]) == 4
    gives = len(made) == 1 and len(made[0]) == 2 and made[0][-1] is not None
    if not takes or not gives:
        raise InputError(
            f"model `{model.name}` must take one image (batch, height, width, channels) and give (batch, classes); "
            f"it takes {given} and gives {made}; `wsseg.explainers` in Python explains others too"
        )


def is_saved_model(model: keras.Model) -> bool:
    """Tell whether a model is a SavedModel, whose layers cannot be reached."""
    return any(isinstance(layer, keras.layers.TFSMLayer) for layer in model.layers)


def check_method(model: keras.Model, method: str) -> None:
    """Raise an error for an explainer that needs a layer of a SavedModel; of other models, the explainer tells."""
    name = as_text.read(method)[0]
    if name in explainers.EXPLAINERS and name not in WITHOUT_LAYERS and is_saved_model(model):
        raise InputError(
            f"method `{method}` needs the output of a layer, and a SavedModel can only be called as a whole; choose "
            f"--method {', '.join(WITHOUT_LAYERS)}, or give a .keras file"
        )
