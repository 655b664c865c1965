"""Load pretrained weights into a network of `keras.applications`, or say why they don't fit."""

import contextlib
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np

from wsseg.errors import InputError, nearest
from wsseg.layers.image_preprocessing import TORCH_STD_RGB

# Filters of MobileNet's first convolution at width 1 (Howard et al. 2017, table 1).
MOBILENET_FILTERS = 32


def load_weights(
    network: keras.Model,
    weights: str | Path | None,
    name: str,
    pretrained: Callable[[], keras.Model],
) -> None:
    """Load weights into a network that `keras.applications` built with `include_top=False, weights=None`.

    Args:
        network: The network, changed in place.
        weights: None to change nothing; "imagenet"; or the path of a weights file.
        name: Name of the backbone, for messages.
        pretrained: Function that builds the application with `weights="imagenet"`.

    Raises:
        InputError: The file is missing, is no weights file or belongs to another network, or the download failed.
    """
    if weights is None:
        return
    if weights == "imagenet":
        try:
            source = pretrained()
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise InputError(
                f'`weights` "imagenet" of backbone `{name}` can\'t be downloaded: {error}; '
                "give the path of a weights file instead"
            ) from error
        network.set_weights(source.get_weights())
        _take_in_rescaling(network, always=True)
        return
    path = weights_path(weights)
    problem = None
    with warnings.catch_warnings(record=True) as caught:
        # Keras warns for each layer that it can't load, hundreds of times, and may then continue.
        warnings.simplefilter("always")
        try:
            network.load_weights(path)
        except (ValueError, KeyError, OSError, AttributeError, TypeError) as error:
            problem = error
    difference = _difference(network, path) if problem or caught else None
    if problem or difference:
        raise InputError(
            f"weights file {path} doesn't fit backbone `{name}`: {difference or problem}; "
            "give a file made from the same network of keras.applications"
        ) from problem
    _take_in_rescaling(network, always=False)


def weights_path(weights: str | Path) -> Path:
    """Check that a file is a weights file, and return its path."""
    path = Path(weights)
    if not path.is_file():
        hint = "" if path.suffix else f"; {nearest(str(weights), ['imagenet'])}"
        raise InputError(f'`weights`: there is no file {path}{hint}; give a path, "imagenet", or None')
    if path.suffix != ".h5" or not h5py.is_hdf5(path):
        raise InputError(
            f"`weights`: {path} isn't a weights file; expected HDF5 named *.weights.h5, as "
            "`model.save_weights` writes it"
        )
    return path


def mobilenet_alpha(wanted: float | None, weights: str | Path | None) -> float:
    """Return the width of a MobileNet: the wanted one, or that of the weights file, or 1.

    Args:
        wanted: `alpha` given by the user, or None.
        weights: None, "imagenet" or a path.

    Returns:
        A positive number.

    Raises:
        InputError: The file has weights of another width, or of another network than MobileNet.
    """
    if wanted is not None and not (isinstance(wanted, int | float) and wanted * MOBILENET_FILTERS >= 1):
        raise InputError(f"`alpha` must be a number from {1 / MOBILENET_FILTERS}; got {wanted!r}; try 0.5")
    if weights is None or weights == "imagenet":
        return 1.0 if wanted is None else float(wanted)
    path = weights_path(weights)
    shapes = _shapes(path).values()
    # The first convolution is the only one that reads 3 channels (a depthwise kernel ends in 1).
    filters = [shape[3] for shape in shapes if len(shape) == 4 and shape[:3] == (3, 3, 3) and shape[3] > 1]
    if len(filters) != 1:
        raise InputError(
            f"weights file {path} isn't one of a MobileNet: it has no 3x3 convolution of the image; "
            "give a file made from keras.applications.MobileNet"
        )
    if wanted is None:
        return filters[0] / MOBILENET_FILTERS
    if int(MOBILENET_FILTERS * wanted) != filters[0]:
        raise InputError(
            f"weights file {path} is one of a MobileNet of width {filters[0] / MOBILENET_FILTERS} (its first "
            f"convolution has {filters[0]} filters), but `alpha` is {wanted}; "
            "remove `alpha` to use the file's width"
        )
    return float(wanted)


def _take_in_rescaling(network: keras.Model, always: bool) -> None:
    """Correct the variance of an EfficientNet for the rescaling that it has only with `weights="imagenet"`.

    Its files hold ImageNet's standard deviation where `Normalization` expects the variance. For this reason
    keras.applications divides by the root of the deviation once more, in an extra layer. A network rebuilt with
    `weights=None` lacks this layer (tensorflow/tensorflow issue 49930). Here the variance includes that factor.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            mean, variance, count = layer.get_weights()
            if always or np.allclose(variance, TORCH_STD_RGB, atol=1e-3):
                layer.set_weights([mean, variance * np.array(TORCH_STD_RGB, variance.dtype), count])
                layer.finalize_state()


@contextlib.contextmanager
def opened_weights(path: str | Path) -> Iterator[h5py.File]:
    """Open a weights file; errors of reading it inside the block become `InputError`.

    Raises:
        InputError: The file is truncated or damaged; the message names it.
    """
    try:
        with h5py.File(path) as file:
            yield file
    except InputError:
        raise
    except (
        Exception
    ) as error:  # h5py raises OSError, RuntimeError, KeyError, TypeError, UnicodeDecodeError ...
        raise InputError(
            f"weights file {path} cannot be read ({error}); it is damaged: copy or download it again"
        ) from error


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of an HDF5 file: path inside the file -> shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    with opened_weights(path) as file:
        file.visititems(lambda key, item: shapes.update({key: item.shape} if hasattr(item, "shape") else {}))
    return shapes


def _difference(network: keras.Model, path: Path) -> str | None:
    """Describe the first difference between a weights file and what a network expects; None if there is none."""
    found = _shapes(path)
    if any(key.endswith(":0") for key in found):  # Keras 2's layout has other paths
        total = sum(math.prod(shape) for shape in found.values())
        return f"it holds {total} numbers, expected {network.count_params()}"
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference.weights.h5"
        network.save_weights(reference)
        expected = _shapes(reference)
    for key, shape in expected.items():
        if key not in found:
            return f"it has no {key} of shape {shape}"
        if found[key] != shape:
            return f"{key} has shape {found[key]}, expected {shape}"
    return None
