"""Attention scores: found in a model's graph by what the operations are, so any layer's own code will do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MIXING = ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "MatMul")
"""TensorFlow operations that multiply the scores with the values."""

FEWEST = 4
"""Least number of tokens of an image; fewer are no grid."""


def softmaxes(graph: Any) -> list[Any]:
    """Return the softmax operations of a graph, in the order in which they were made."""
    return [one for one in graph.get_operations() if one.type == "Softmax"]


@dataclass(frozen=True)
class Attention:
    """The attention of a model over the tokens of an image.

    Attributes:
        blocks: Positions, among the model's softmax operations, of those that give scores `(B, heads, N, N)` or
            `(B, N, N)` from all tokens to all tokens, in order.
        pooling: The same for scores `(B, heads, 1, N)` of a head that pools the tokens by attention.
        softmaxes: Number of all softmax operations of the model.
        others: Description of attention of another kind; "" if there is none.
    """

    blocks: tuple[int, ...] = ()
    pooling: tuple[int, ...] = ()
    softmaxes: int = 0
    others: str = ""


def attention_of(found: Sequence[Any], image: Any, batch: int) -> Attention:
    """Sort the softmax operations of a graph with known sizes.

    Args:
        found: The operations, from `softmaxes`.
        image: The image's tensor; what does not depend on it is left out.
        batch: Number of images.
    """
    shapes = {
        number: tuple(one.outputs[0].shape)
        for number, one in enumerate(found)
        if len(one.outputs[0].shape) >= 3 and depends([one.outputs[0]], image)
    }
    squares = {
        number: shape for number, shape in shapes.items() if shape[-1] == shape[-2] and (shape[-1] or 0) > 1
    }
    blocks = [number for number, shape in squares.items() if _of_images(shape, batch) and shape[-1] >= FEWEST]
    if not blocks:
        inside = any(shape[0] != batch for shape in squares.values())
        return Attention(softmaxes=len(found), others="attention within windows" if inside else "")
    count = shapes[blocks[-1]][-1]
    others = [
        "attention within windows" if shape[0] != batch else "another number of tokens in some blocks"
        for number, shape in squares.items()
        if number not in blocks or shape[-1] != count
    ]
    pooling = []
    for number, shape in shapes.items():
        if shape[-1] == count and number not in squares:
            if _of_images(shape, batch) and shape[-2] == 1 and number > blocks[-1]:
                pooling.append(number)
            else:
                others.append("attention from one set of tokens to another")
    if len(pooling) > 1:
        others.append("several attention poolings")
    return Attention(tuple(blocks), tuple(pooling), len(found), others[0] if others else "")


def _of_images(shape: Sequence[int], batch: int) -> bool:
    return len(shape) in (3, 4) and shape[0] == batch


def mixed_values(found: Sequence[Any]) -> list[Any]:
    """Return the tensors in which softmax operations have mixed values: products with their outputs.

    Where gradients stop at these tensors, no token sees another one through the attention.
    """
    result = []
    for one in found:
        if len(one.outputs[0].shape) < 3:
            continue
        left, depth = [one.outputs[0]], 0
        while left and depth < 8:  # casts, transpositions and dropout stand between the two
            users = [user for tensor in left for user in tensor.consumers()]
            result += [x for user in users if user.type in MIXING for x in user.outputs]
            left = [x for user in users if user.type not in MIXING for x in user.outputs]
            depth += 1
    return result


def depends(outputs: Sequence[Any], on: Any, without: Any = None) -> bool:
    """Return whether tensors of a graph depend on another one, by paths that do not contain the tensor `without`."""
    left, seen = list(outputs), set() if without is None else {without.name}
    while left:
        tensor = left.pop()
        if tensor.name in seen:
            continue
        if tensor.name == on.name:
            return True
        seen.add(tensor.name)
        left.extend(tensor.op.inputs)
    return False
