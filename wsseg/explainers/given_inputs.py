"""A user's inputs, in any form that holds numbers, as the arrays that a model takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError, is_whole
from wsseg.explainers.output_names import paths_of


def as_array(given: Any, dtype: str | None, name: str, image: bool) -> np.ndarray:
    """Return one input of a model as an array.

    Args:
        given: Array, tensor of any framework, list of equally large images, or nested lists of numbers.
        dtype: Dtype of the model's input; None to keep the given one.
        name: Name of the input, for messages.
        image: Whether the input is an image.

    Returns:
        Array of that dtype; text (`dtype` "string") is returned as it is.

    Raises:
        InputError: The input is a path, a palette image, or no numbers; sizes differ; or numbers that the dtype can't
            hold: fractions, negative or too large numbers for a model of whole numbers.

    Example:
        >>> as_array([[[0, 255]]], "uint8", "image", image=True).shape
        (1, 1, 2)
    """
    if image:
        _refuse_what_is_no_array(given, name)
        if isinstance(given, (list, tuple)) and len(given) == 1 and np.ndim(given[0]) == 4:
            given = given[0]  # a list of the only input
    try:
        found = np.asarray(given)
        if dtype == "string" or (dtype is None and not image):
            return found
        _refuse_what_does_not_fit(found, dtype, name)
        return found.astype(dtype or found.dtype, copy=False)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        if image and isinstance(given, (list, tuple)):
            shapes = {str(getattr(x, "shape", type(x).__name__)) for x in given}
            raise InputError(
                f"`images`: the images of a batch must have one size; got {', '.join(sorted(shapes))}; resize them, "
                "or explain them one by one"
            ) from error
        raise InputError(
            f"`images`: input `{name}` must be an array of {dtype or 'real'} numbers; got {type(given).__name__} "
            f"({error}); try np.asarray(...)"
        ) from error


def _refuse_what_is_no_array(given: Any, name: str) -> None:
    parts = given if isinstance(given, (list, tuple)) else (given,)
    for part in parts:
        if isinstance(part, (str, bytes, Path)):
            raise InputError(
                f"`images`: input `{name}` must hold images, not file names ({part!r}); open a file with "
                "np.asarray(PIL.Image.open(path).convert('RGB'))"
            )
        if getattr(part, "mode", None) in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
            raise InputError(
                f"`images`: input `{name}` is a picture of mode {part.mode}, whose numbers are no colours of the "
                "model; give np.asarray(picture.convert('RGB'))"
            )
        if part is None:
            raise InputError(f"`images`: input `{name}` is None; give (batch, height, width, channels)")


def _refuse_what_does_not_fit(found: np.ndarray, dtype: str | None, name: str) -> None:
    kind = None if dtype in (None, "bfloat16") else np.dtype(dtype)
    if found.dtype.kind not in "fiub" and found.dtype.name != "bfloat16":
        raise InputError(f"`images`: input `{name}` must be numbers; got {found.dtype} {found.shape}")
    if kind is None or found.dtype == kind or not found.size:
        return
    if kind.kind == "b" and not np.isin(found, (0, 1)).all():
        raise InputError(
            f"`images`: input `{name}` of this model is {dtype}; got {found.dtype} values other than 0 and 1; "
            "give the comparison that is meant, such as `images > 127`"
        )
    if kind.kind not in "iu":
        return
    limits = np.iinfo(kind)
    low, high = found.min(), found.max()
    whole = found.dtype.kind != "f" or (np.isfinite(found).all() and (found == np.round(found)).all())
    if not whole or low < limits.min or high > limits.max:
        raise InputError(
            f"`images`: input `{name}` of this model takes whole numbers, {dtype} from {limits.min} to {limits.max}; "
            f"got {found.dtype} from {low:.4g} to {high:.4g}{'' if whole else ', with fractions'}; give pixels of "
            "that type, not scaled ones"
        )


class GivenInputs:
    """The inputs that a model takes: their names, which of them are images, and how a user may give them.

    Args:
        model: A functional or sequential model.

    Attributes:
        names: Names of the inputs, in the order of `model.inputs`.
        images: Positions of the inputs `(batch, height, width, channels)`.
    """

    def __init__(self, model: keras.Model):
        self._model = model
        self.names = [x.name for x in model.inputs]
        self.images = [i for i, x in enumerate(model.inputs) if len(x.shape) == 4]
        structure = None if isinstance(model, keras.Sequential) else model.input
        self._paths = paths_of(structure) if structure is not None else [()]

    def position(self, image: Any) -> int:
        """Return the position of the image that the user chooses.

        Args:
            image: Name, key or position of an input.

        Raises:
            InputError: It is none, or not an image.
        """
        listed = ", ".join(f"{self.names[i]} ({i})" for i in self.images)
        found = None
        if isinstance(image, str):
            keys = [".".join(map(str, path)) for path in self._paths]
            found = next((names.index(image) for names in (self.names, keys) if image in names), None)
        elif is_whole(image, -len(self.names)) and image < len(self.names):
            found = range(len(self.names))[int(image)]
        if found not in self.images:
            raise InputError(
                f"`image` must be the name or the position of an image among the inputs of model "
                f"`{self._model.name}`, {listed}; got {image!r}"
            )
        return found

    def arrays(self, given: Any, dtypes: Sequence[str]) -> list[np.ndarray]:
        """Return the inputs in the model's order.

        Args:
            given: One array; a list in the model's order; a dict by names; or the model's own structure of inputs.
            dtypes: Dtype of each input.

        Raises:
            InputError: Their number or names do not match the model's inputs, or an input does not fit; see `as_array`.
        """
        return [
            as_array(one, dtype, name, index in self.images)
            for index, (one, dtype, name) in enumerate(zip(self._in_order(given), dtypes, self.names))
        ]

    def _in_order(self, given: Any) -> list[Any]:
        takes = f"`images`: model `{self._model.name}` takes"
        if isinstance(given, dict):
            if set(given) == set(self.names):
                return [given[name] for name in self.names]
            walked = self._walked(given)
            if walked is None:
                raise InputError(
                    f"{takes} the inputs {', '.join(self.names)}; got {', '.join(map(str, given))}"
                )
            return walked
        if len(self.names) == 1:
            return [
                given[0] if isinstance(given, tuple) and len(given) == 1 and np.ndim(given[0]) == 4 else given
            ]
        if isinstance(given, (list, tuple)) and len(given) == len(self.names):
            return list(given)
        walked = self._walked(given)
        if walked is None:
            raise InputError(
                f"{takes} {len(self.names)} inputs ({', '.join(self.names)}); give a list in that order, or a dict"
            )
        return walked

    def _walked(self, given: Any) -> list[Any] | None:
        """Return the inputs from the model's own structure; None if they are given in another."""
        found = []
        for path in self._paths:
            one = given
            for key in path:
                if isinstance(one, (dict, list, tuple)) and (
                    key in one if isinstance(one, dict) else key < len(one)
                ):
                    one = one[key]
                else:
                    return None
            found.append(one)
        extra = isinstance(given, (dict, list, tuple)) and len(given) != len(
            {path[:1] for path in self._paths}
        )
        return None if extra or not all(self._paths) else found
