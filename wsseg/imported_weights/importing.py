"""Convert a torchvision state dict to a weights file for a segmenter or a backbone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from wsseg import segmenters
from wsseg.backbones.resnet_torch import resnet_torch
from wsseg.errors import InputError, nearest
from wsseg.imported_weights.first_convolution import for_caffe_images
from wsseg.imported_weights.state_dict import read_state_dict
from wsseg.imported_weights.torchvision_tensors import SOURCES, Tensor, to_keras
from wsseg.training.model_files import require_space, save_model

COUNTER = "num_batches_tracked"  # a counter of PyTorch's batch norm; Keras has none
SECOND_HEAD = "aux_classifier."


@dataclass(frozen=True)
class Imported:
    """Description of the file that was written.

    Attributes:
        path: The file.
        num_classes: Number of classes of the network.
        auxiliary: Whether the file holds the weights of the second head; None for classifiers.
    """

    path: Path
    num_classes: int
    auxiliary: bool | None

    def describe(self) -> str:
        """Return a sentence on the content of the file and how to use it."""
        if self.auxiliary is None:
            return f"{self.num_classes} classes; give it as the backbone's `weights`"
        second = "the auxiliary head too" if self.auxiliary else "no auxiliary head (it starts at random)"
        return f"{self.num_classes} classes, {second}; give it as the segmenter's `weights`"


def import_weights(
    file: str | Path, network: str, out: str | Path, num_classes: int | None = None
) -> Imported:
    """Convert a torchvision state dict to a weights file of this package.

    The state dict of a segmentation network becomes a `.keras` file for `segmenters.create(network, weights=out)` and
    the recipe's `segment.weights`. If it lacks the tensors `aux_classifier.*`, the file has no second head; a segmenter
    with a second head then starts that head from random weights. The state dict of a classifier becomes a
    `.weights.h5` file, top included, for `backbones.create(network, weights=out)`. For `vgg16`, which has Caffe's
    preprocessing and is the base of every segmenter on VGG-16, the first convolution is adapted (`for_caffe_images`).

    Args:
        file: A `.safetensors`, `.pth` or `.pt` file (`read_state_dict`).
        network: A key of `SOURCES`.
        out: The file to write, atomically; its folder is created.
        num_classes: Expected number of classes of the weights; None for any number.

    Returns:
        A description of the file.

    Raises:
        InputError: The network is unknown, the name of `out` does not fit, or the file cannot be read, belongs to
            another network (the message names the first tensor that differs) or has another number of classes.
    """
    source = SOURCES.get(network)
    if source is None:
        raise InputError(f"unknown network `{network}` to import; {nearest(network, SOURCES)}")
    out = Path(out).expanduser()
    suffix = ".keras" if source.segments else ".weights.h5"
    if not out.name.endswith(suffix):
        raise InputError(f"`out` {out} must be named *{suffix} for `{network}`; try {network}{suffix}")
    state = read_state_dict(file)
    found, auxiliary, difference = _compare(state, network)
    if difference:
        fits = [other for other in SOURCES if not _compare(state, other)[2]]
        hint = f"it fits `{fits[0]}`" if fits else f"give torchvision's state dict of `{network}`"
        raise InputError(f"weights file {file} does not fit `{network}`: {difference}; {hint}")
    if num_classes is not None and num_classes != found:
        raise InputError(
            f"weights file {file} has {found} classes (tensor `{source.last}`), not {num_classes}; import it "
            f"as it is: a segmenter of {num_classes} classes that starts from it keeps all layers but the last"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another folder") from error
    if source.first:
        pair = (f"{source.first}.weight", f"{source.first}.bias")
        state |= zip(pair, for_caffe_images(*(state[name] for name in pair)))
    model = _build(network, found, auxiliary)
    assign(model, source.tensors(found, auxiliary), state)
    if source.segments:
        save_model(model, out)
    else:
        require_space(out, model.variables)
        # Keras chooses the format by the suffix.
        partial = out.with_name(f".{out.name.removesuffix(suffix)}.partial{suffix}")
        model.save_weights(partial)
        partial.replace(out)
    return Imported(out, found, auxiliary if source.segments else None)


def assign(model: keras.Model, tensors: Iterable[Tensor], state: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a network, including those of a second head.

    Args:
        model: Model to change in place.
        tensors: For each tensor, the weight that it becomes.
        state: Tensor name -> tensor, in PyTorch's layout.
    """
    named = getattr(model, "named_layers", None)  # of a segmenter; `layers` lacks those of its second head
    layers = named() if named else {layer.name: layer for layer in model.layers}
    weights: dict[str, dict[int, np.ndarray]] = {}
    for tensor in tensors:
        array = to_keras(state[tensor.name], tensor.map_chw)
        weights.setdefault(tensor.layer, {})[tensor.index] = array
    for name, arrays in weights.items():
        layers[name].set_weights([arrays[index] for index in range(len(arrays))])


def _compare(state: Mapping[str, np.ndarray], network: str) -> tuple[int, bool, str | None]:
    """Compare a state dict with the tensors of a network.

    Returns:
        The number of classes and whether there is a second head, both of the state dict; and the first difference in
        words, or None.
    """
    source = SOURCES[network]
    last = state.get(source.last)
    num_classes = len(last) if last is not None and last.ndim else 0
    auxiliary = source.segments and any(name.startswith(SECOND_HEAD) for name in state)
    expected = {tensor.name: tensor.shape for tensor in source.tensors(num_classes, auxiliary)}
    difference = None
    for name, shape in expected.items():
        if name not in state:
            difference = f"it has no tensor `{name}`; its first is `{next(iter(state))}`"
        elif state[name].shape != shape:
            difference = f"tensor `{name}` has shape {state[name].shape}, expected {shape}"
        if difference:
            return num_classes, auxiliary, difference
    extra = [name for name in state if name not in expected and not name.endswith(COUNTER)]
    if extra:
        difference = f"it has a tensor `{extra[0]}`, which the network lacks"
    return num_classes, auxiliary, difference


def _build(network: str, num_classes: int, auxiliary: bool) -> keras.Model:
    source = SOURCES[network]
    if source.segments:
        return segmenters.create(network, num_classes=num_classes, auxiliary=auxiliary)
    if source.kind == "resnet":
        return resnet_torch(source.depth, classes=num_classes)
    return keras.applications.VGG16(weights=None, classes=num_classes)
