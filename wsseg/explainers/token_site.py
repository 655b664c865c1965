"""Where to explain a vision transformer: the tokens that the last attention block reads, or those of a named layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wsseg.errors import InputError, nearest
from wsseg.explainers.attention_scores import FEWEST, Attention, attention_of, depends, softmaxes
from wsseg.explainers.call_record import Call, Site


class NoTokensError(InputError):
    """There are no tokens at the place to explain."""


@dataclass(frozen=True)
class Trace:
    """A run of a model in a graph with known sizes.

    Attributes:
        calls: The calls of its layers and operations.
        graph: The graph.
        image: The image's tensor.
        outputs: The model's outputs, flattened.
        batch: Number of images.
    """

    calls: Sequence[Call]
    graph: Any
    image: Any
    outputs: Sequence[Any]
    batch: int

    def tokens(self, value: Any) -> bool:
        """Return whether a value is tokens `(B, N, C)` that depend on the image."""
        shape = getattr(value, "shape", None)
        if shape is None or len(shape) != 3 or shape[0] != self.batch or (shape[1] or 0) < FEWEST:
            return False
        return getattr(value, "graph", None) is self.graph and depends([value], self.image)

    def attention(self) -> Attention:
        """Return the attention over the image's tokens."""
        return attention_of(softmaxes(self.graph), self.image, self.batch)


def named_site(trace: Trace, layer: str) -> tuple[Site, Any]:
    """Return a named layer's output, of its last call, and its tensor.

    Args:
        trace: A run of the model.
        layer: Name of the layer; or the end of its path, such as `block_3.norm_1`, where names occur twice.

    Raises:
        NoTokensError: No layer, or several ones, have that name; or its output is no tokens that depend on the image.
    """
    parts = tuple(layer.split("."))
    found = [one for one in trace.calls if layer == one.path[-1] or one.path[-len(parts) :] == parts]
    if not found:
        raise NoTokensError(
            f"no layer `{layer}` is called; {nearest(layer, {x.path[-1] for x in trace.calls})}"
        )
    paths = {".".join(one.path) for one in found}
    if len({id(one.operation) for one in found}) > 1 and len(paths) > 1:
        raise InputError(f"{len(paths)} layers are named `{layer}`; choose one of {', '.join(sorted(paths))}")
    call = found[-1]
    positions = tuple(i for i, x in enumerate(call.outputs) if trace.tokens(x))[:1]
    if not positions:
        shapes = [tuple(x.shape) for x in call.outputs if hasattr(x, "shape")]
        raise NoTokensError(
            f"layer `{layer}` gives {', '.join(map(str, shapes))} for {trace.batch} images, which are no tokens "
            "(batch, tokens, channels) of the image"
        )
    return Site(call.operation, call.number, True, positions, layer), call.outputs[positions[0]]


def last_attention_site(trace: Trace) -> tuple[Site, Any] | None:
    """Return the tokens that the last attention block reads, and their tensor; None without attention over tokens.

    The block is the outermost call around the last attention that holds no other one. If it normalises its tokens
    before the attention, they are taken after that: the tokens before it are only read through a normalisation, which
    is nearly blind to their scale, so that the products of features and gradients cancel to about 0 for each token.
    """
    positions = {one.name: number for number, one in enumerate(trace.graph.get_operations())}
    attention = [
        positions[one.name]
        for one in softmaxes(trace.graph)
        if len(one.outputs[0].shape) >= 3 and depends([one.outputs[0]], trace.image)
    ]
    for operation in reversed(attention):
        around = [one for one in trace.calls if one.contains(operation)]
        block = next(
            (
                one
                for one in around  # outermost first
                if _tokens_kept(trace, one) is not None
                and sum(one.contains(other) for other in attention) == 1
            ),
            None,
        )
        if block is None:
            continue
        tensor = _tokens_kept(trace, block)
        for one in trace.calls:
            inside = block.first <= one.first and one.last <= operation
            if (
                inside
                and _is_norm(one)
                and any(x is tensor for x in one.inputs)
                and trace.tokens(one.outputs[0])
            ):
                return _site(one, one, one.outputs[0]), one.outputs[0]
        return _site(_maker(trace, tensor, block), block, tensor), tensor
    return None


def last_tokens_site(trace: Trace) -> tuple[Site, Any] | None:
    """Return the last tokens that all paths from the image to the outputs pass through, and their tensor, or None."""
    for call in sorted(trace.calls, key=lambda one: -one.last):
        for tensor in call.outputs:
            if trace.tokens(tensor) and not depends(trace.outputs, trace.image, without=tensor):
                return _site(call, call, tensor), tensor
    return None


def _tokens_kept(trace: Trace, call: Call) -> Any:
    """Return the first tokens that a call reads if it gives as many tokens; else None."""
    given = next((x for x in call.inputs if trace.tokens(x)), None)
    counts = [x.shape[1] for x in call.outputs if trace.tokens(x)]
    return given if given is not None and given.shape[1] in counts else None


def _maker(trace: Trace, tensor: Any, reader: Call) -> Call | None:
    """Return the outermost call that gives a tensor and has ended before it is read."""
    ended = (one for one in trace.calls if one.last <= reader.first)
    return next((one for one in ended if any(x is tensor for x in one.outputs)), None)


def _site(maker: Call | None, reader: Call, tensor: Any) -> Site:
    call, values = (reader, reader.inputs) if maker is None else (maker, maker.outputs)
    positions = tuple(i for i, x in enumerate(values) if x is tensor)
    name = ".".join(call.path[-2:])
    name = name if maker is not None else f"input of {name}"
    return Site(call.operation, call.number, maker is not None, positions, name)


def _is_norm(call: Call) -> bool:
    return "norm" in type(getattr(call.operation, "wrapped", call.operation)).__name__.lower()
