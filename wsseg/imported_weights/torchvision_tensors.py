"""Mapping from the tensors of torchvision's state dicts to the weights of this package's networks, as plain data.

Names and shapes are those of torchvision 0.29 (`models/resnet.py`, `models/vgg.py`, `models/segmentation/`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wsseg.backbones.resnet_torch import BLOCKS, EXPANSION


@dataclass(frozen=True)
class Tensor:
    """A tensor and the weight that it becomes.

    Attributes:
        name: Name of the tensor in the state dict.
        shape: Shape in the state dict: `(out, in, h, w)` for a convolution, `(out, in)` for a dense layer, `(out,)`
            for a vector.
        layer: Name of the Keras layer.
        index: Index of the weight in the layer's list of weights.
        map_chw: Shape of the map, if the layer is a dense layer whose input is a flattened map; otherwise None.
    """

    name: str
    shape: tuple[int, ...]
    layer: str
    index: int
    map_chw: tuple[int, int, int] | None = None


def to_keras(array: np.ndarray, map_chw: tuple[int, int, int] | None = None) -> np.ndarray:
    """Convert a tensor to Keras' order of axes.

    Args:
        array: `(out, in, h, w)` for a convolution, `(out, in)` for a dense layer, or a vector.
        map_chw: Shape of the map, if the input of a dense layer is a flattened map. PyTorch flattens it channel
            by channel, Keras pixel by pixel.

    Returns:
        `(h, w, in, out)`, `(in, out)`, or the vector.

    Example:
        >>> import numpy as np
        >>> to_keras(np.arange(4.0).reshape(1, 4), map_chw=(2, 1, 2)).ravel().tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if map_chw:
        outputs = array.shape[0]
        return array.reshape(outputs, *map_chw).transpose(2, 3, 1, 0).reshape(-1, outputs)
    return array.T


@dataclass(frozen=True)
class Source:
    """A network of torchvision.

    Attributes:
        kind: "fcn", "deeplab", "resnet" or "vgg".
        depth: Number of layers of the ResNet; 0 for VGG.
        first: Name of the first convolution, if it must be adapted to mode "caffe" of the preprocessing; otherwise
            None.
    """

    kind: str
    depth: int = 0
    first: str | None = None

    @property
    def segments(self) -> bool:
        """Whether it is a segmentation network, not a classifier."""
        return self.kind in ("fcn", "deeplab")

    @property
    def last(self) -> str:
        """Name of the tensor with one row per class."""
        return {"resnet": "fc", "vgg": "classifier.6"}.get(self.kind, "classifier.4") + ".weight"

    def tensors(self, num_classes: int, auxiliary: bool = False) -> list[Tensor]:
        """Return all tensors in the network's order, without the counters `num_batches_tracked`.

        Args:
            num_classes: Number of classes of the network.
            auxiliary: Whether to include the second head of a segmentation network.
        """
        if self.kind == "vgg":
            return list(_vgg16(num_classes))
        if self.kind == "resnet":
            return [*_resnet(self.depth, ""), *_affine("fc", "fc", (num_classes, 512 * EXPANSION))]
        found = list(_resnet(self.depth, "backbone."))
        if self.kind == "fcn":
            found += _fcn_head("classifier", ("head", "scores"), 512 * EXPANSION, num_classes)
        else:
            found += _deeplab_head("classifier", 512 * EXPANSION, num_classes)
        if auxiliary:
            layers = ("auxiliary_0", "auxiliary_scores")
            found += _fcn_head("aux_classifier", layers, 256 * EXPANSION, num_classes)
        return found


SOURCES = {
    "fcn_resnet50": Source("fcn", 50),
    "fcn_resnet101": Source("fcn", 101),
    "deeplab_v3_resnet50": Source("deeplab", 50),
    "deeplab_v3_resnet101": Source("deeplab", 101),
    "resnet50_torch": Source("resnet", 50),
    "resnet101_torch": Source("resnet", 101),
    "vgg16_torch": Source("vgg"),
    "vgg16": Source("vgg", first="features.0"),
}
"""Name of a segmenter or backbone of this package -> the torchvision network with its weights."""

VGG16_CONVOLUTIONS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions in each block: configuration D of Simonyan and Zisserman 2015, table 1."""


def _affine(
    module: str, layer: str, shape: tuple[int, ...], map_chw: tuple[int, int, int] | None = None
) -> Iterator[Tensor]:
    """Yield the weight and bias of a convolution or dense layer."""
    yield Tensor(f"{module}.weight", shape, layer, 0, map_chw)
    yield Tensor(f"{module}.bias", shape[:1], layer, 1)


def _convolution(module: str, layer: str, norm: str, norm_layer: str, shape: tuple[int, ...]):
    """Yield the tensors of a convolution without bias, and of the batch norm after it."""
    yield Tensor(f"{module}.weight", shape, layer, 0)
    for index, part in enumerate(("weight", "bias", "running_mean", "running_var")):
        yield Tensor(f"{norm}.{part}", shape[:1], norm_layer, index)


def _pair(module: str, index: int, layer: str, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """Yield a head's convolution and batch norm, members `index` and `index + 1` of a sequence."""
    return _convolution(f"{module}.{index}", layer, f"{module}.{index + 1}", f"{layer}_bn", shape)


def _resnet(depth: int, prefix: str) -> Iterator[Tensor]:
    def convolution(module: str, norm: str, *shape: int) -> Iterator[Tensor]:
        names = [name.replace(".", "_") for name in (module, norm)]
        return _convolution(prefix + module, names[0], prefix + norm, names[1], shape)

    yield from convolution("conv1", "bn1", 64, 3, 7, 7)
    channels = 64
    for stage, blocks in enumerate(BLOCKS[depth]):
        inner = 64 * 2**stage
        for index in range(blocks):
            block = f"layer{stage + 1}.{index}"
            yield from convolution(f"{block}.conv1", f"{block}.bn1", inner, channels, 1, 1)
            yield from convolution(f"{block}.conv2", f"{block}.bn2", inner, inner, 3, 3)
            yield from convolution(f"{block}.conv3", f"{block}.bn3", EXPANSION * inner, inner, 1, 1)
            if index == 0:
                pair = (f"{block}.downsample.0", f"{block}.downsample.1")
                yield from convolution(*pair, EXPANSION * inner, channels, 1, 1)
            channels = EXPANSION * inner


def _fcn_head(module: str, layers: tuple[str, str], channels: int, num_classes: int) -> Iterator[Tensor]:
    yield from _pair(module, 0, layers[0], (channels // 4, channels, 3, 3))
    yield from _affine(f"{module}.4", layers[1], (num_classes, channels // 4, 1, 1))


def _deeplab_head(module: str, channels: int, num_classes: int) -> Iterator[Tensor]:
    for branch, side in enumerate((1, 3, 3, 3)):
        yield from _pair(f"{module}.0.convs.{branch}", 0, f"aspp_{branch}", (256, channels, side, side))
    yield from _pair(f"{module}.0.convs.4", 1, "aspp_image", (256, channels, 1, 1))
    yield from _pair(f"{module}.0.project", 0, "aspp_project", (256, 5 * 256, 1, 1))
    yield from _pair(module, 1, "head", (256, 256, 3, 3))
    yield from _affine(f"{module}.4", "scores", (num_classes, 256, 1, 1))


def _vgg16(num_classes: int) -> Iterator[Tensor]:
    index, channels = 0, 3
    for block, widths in enumerate(VGG16_CONVOLUTIONS, start=1):
        for number, width in enumerate(widths, start=1):
            yield from _affine(f"features.{index}", f"block{block}_conv{number}", (width, channels, 3, 3))
            index, channels = index + 2, width  # a ReLU after each
        index += 1  # the pooling
    yield from _affine("classifier.0", "fc1", (4096, 7 * 7 * 512), map_chw=(512, 7, 7))
    yield from _affine("classifier.3", "fc2", (4096, 4096))
    yield from _affine("classifier.6", "predictions", (num_classes, 4096))
