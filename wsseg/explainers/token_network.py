"""Vision transformers, split at tokens: those of the patches are laid out as the cells of a feature map."""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.attention_scores import FEWEST, Attention, mixed_values, softmaxes
from wsseg.explainers.call_record import Site, parts_of, recorded
from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.token_layout import Layout, given_layout
from wsseg.explainers.token_places import binary_masks, measured_layout
from wsseg.explainers.token_site import (
    NoTokensError,
    Trace,
    last_attention_site,
    last_tokens_site,
    named_site,
)
from wsseg.grid import Grid

BATCH = 2
"""Number of images of the run that shows the layers."""

ROWS = 4
"""Number of gradients that are taken at once when the tokens' places are measured."""

ANY_MODEL = "`occlusion`, `rise`, `integrated_gradients` and `smooth_grad` explain any model"


class TokenNetwork(Network):
    """A model of tokens `(B, N, C)`, split at one tensor of tokens, at any depth of nested or custom layers.

    Without a name, the tokens that the attention of the last block reads are explained, after the block's first
    normalisation if there is one, as in CLIP-ES and pytorch-grad-cam: behind that block, a head that reads only the
    class token gives the patches a gradient of 0. Without attention, the last tokens that all paths to the output pass
    through.

    Which token sees which patch is measured by gradients (`wsseg.explainers.token_places`), with the attention's mixing
    held fixed: tokens without a place (class, distillation, register) are found by it, and any order. Where this finds
    no grid at the explained tokens, it is measured at the first tokens of the same number, and a warning says that the
    layers between them are taken to keep the order. Tokens without a place keep their values when features are
    replaced.

    Args:
        base: The model as a network that explains the image itself.
        layer: Name of the layer whose output is explained; or the end of its path, such as `block_3.norm_1`.
        reshape: `(h, w)`: the last h * w tokens are the patches, row by row, unless another order is measured. Or a
            function from tokens `(B, N, C)` to `(B, h, w, C)`. None to find the grid.
        after: Name of a layer before which no tokens are taken.

    Raises:
        InputError: There are no tokens, no layer of that name, or their grid is neither found nor given. If the sizes
            of the inputs are unknown, this is raised for the first images.
    """

    def __init__(
        self, base: Network, layer: str | None = None, reshape: Any = None, after: str | None = None
    ):
        self.base, self.model = base, base.model
        self.image, self.input_size, self.channels = base.image, base.input_size, base.channels
        self._wanted = None if layer is None else str(layer)
        self._reshape, self._after = reshape, after
        self.layer = layer or "the last attention block's input"
        self._parts = parts_of(getattr(base, "flat", base.model))
        self._site: Any = None
        self.why_unknown = "the distances of its tokens could not be measured"
        self._layouts: dict[tuple[int, int], Layout] = {}
        self._stored: Any = None
        self.attention = Attention()
        specs = base.flat.inputs if hasattr(base, "flat") else None
        shapes = [(None, None)] if specs is None else base.shapes
        if all(None not in shape[1:] for shape in shapes):
            dtypes = [keras.backend.standardize_dtype(x.dtype) for x in specs]
            self.prepare([_example(shape[1:], dtype) for shape, dtype in zip(shapes, dtypes)])

    @property
    def analysed(self) -> bool:
        """True once the tokens are chosen: at once, or with the first images if the sizes of the inputs are unknown."""
        return self._site is not None

    @property
    def spec(self) -> Outputs:
        """Shapes of the model's outputs."""
        return self.base.spec

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        return self.base.names

    @property
    def logits(self) -> Any:
        """What was found before each output's final activation; see `Network`."""
        return self.base.logits

    @property
    def grid(self) -> Grid | None:
        """Where in the image the cells look, of the images seen last; None if unknown."""
        return self._layouts[self.variant].grid if self.variant in self._layouts else None

    def inputs(self, given: Any) -> list[Any]:
        """Return the inputs as a flat list; the first images of a size show where the tokens see."""
        flat = self.base.inputs(given)
        self.image = self.base.image
        size_hw = tuple(flat[self.image].shape[1:3])
        if all(wanted in (None, got) for wanted, got in zip(self.input_size, size_hw)) and all(
            map(len, flat)
        ):
            self.prepare(flat)
        return flat

    def prepare(self, inputs: Sequence[Any]) -> None:
        """Measure the layout of images of a new size, and take it from now on."""
        self.variant = tuple(inputs[self.image].shape[1:3])
        if self.variant not in self._layouts:
            row = [np.asarray(x[:1]) for x in inputs]
            row[self.image] = _noise_like(row[self.image])
            self._measure(row)

    @property
    def layout(self) -> Layout:
        """Layout of the tokens of the images seen last."""
        return self._layouts[self.variant]

    def features(self, inputs: Sequence[Any]) -> Any:
        """Run the model up to the tokens; return those with a place, `(B, h, w, C)`."""
        taken: list[Any] = []

        def take(tokens: Any) -> Any:
            taken.append(tokens)
            return tokens

        with self._site.through(take):
            self.base.outputs(inputs)
        # While the same function is traced, the head needs no second run for the tokens without a place.
        self._stored = (list(inputs), taken[-1])
        return self.layout.cells(taken[-1])

    def head(self, features: Any, inputs: Sequence[Any]) -> Outputs:
        """Run the model with the tokens of the cells replaced."""
        layout, before = self.layout, self._stored
        known = (
            before is not None
            and not tf.executing_eagerly()
            and len(before[0]) == len(inputs)
            and all(x is y for x, y in zip(before[0], inputs))
        )
        with self._site.through(lambda old: layout.replaced(before[1] if known else old, features)):
            return self.base.outputs(inputs)

    def outputs(self, inputs: Sequence[Any]) -> Outputs:
        """Run the whole model."""
        return self.base.outputs(inputs)

    def prepare_image_gradient(self, inputs: Sequence[Any]) -> None:
        """See `Network`."""
        self.base.prepare_image_gradient(inputs)

    def _measure(self, row: Sequence[np.ndarray]) -> None:
        """Find the tokens and their layout for images of one size.

        Args:
            row: The inputs, one row each.
        """
        count, channels, sources = self._choose(row)
        found = None
        for source in sources:
            energy = _Energy(self, source, row)
            if not energy.same_twice(count):
                raise InputError(
                    f"the tokens of `{self.layer}` of model `{self.model.name}` stand in another order, or are others, "
                    f"at each call (a random mask?), so they have no place; remove what draws them; {ANY_MODEL}"
                )
            found = measured_layout(energy, count)
            if found is not None and found.order.size >= FEWEST:
                break
            found = None
        if self._reshape is not None:
            own = found if source is self._site else None  # the user knows more than the first tokens show
            found = given_layout(self._reshape, count, channels, own)
        if found is None:
            raise InputError(
                f"the {count} tokens of `{self.layer}` of model `{self.model.name}` don't show by gradients where they "
                "see the image; give `reshape=(h, w)`, their grid (class and register tokens stand before it), or "
                f"a function from tokens (B, {count}, {channels}) to (B, h, w, {channels}); {ANY_MODEL}"
            )
        if source is not self._site and self._reshape is None:
            warnings.warn(
                f"each token of `{self.layer}` sees more than a patch, so the places are those of the first {count} "
                "tokens: the layers between are taken to keep their order; give `reshape=` if they don't",
                stacklevel=2,
            )
        if found.grid is None and self._reshape is None:
            warnings.warn(
                f"the tokens of `{self.layer}` lie in a grid, but not at distances that could be measured: they are "
                "spread evenly over the image",
                stacklevel=2,
            )
        self._layouts[self.variant] = found

    def _choose(self, row: Sequence[np.ndarray]) -> tuple[int, int, list[Site]]:
        """Choose the tokens; return their number, their channels, and where to measure their places."""
        result: list[Any] = []

        def run(*inputs: Any) -> None:
            with recorded(self._parts) as calls:
                outputs = self.base.outputs(inputs)
            flat = [x for x in keras.tree.flatten(outputs.logits) if hasattr(x, "graph")]
            trace = Trace(calls, tf.compat.v1.get_default_graph(), inputs[self.image], flat, BATCH)
            self._site, tensor = self._found(trace)
            self.attention = trace.attention()
            self.layer = self._site.name
            first = next(
                (
                    (one, i)
                    for one in sorted(calls, key=lambda one: one.last)
                    for i, x in enumerate(one.outputs)
                    if trace.tokens(x) and x.shape[1] == tensor.shape[1]
                ),
                None,
            )
            sources = [self._site]
            if first is not None and first[0].outputs[first[1]] is not tensor:
                call, position = first
                sources.append(Site(call.operation, call.number, True, (position,), ""))
            result.extend((tensor.shape[1], tensor.shape[2], sources))

        _traced(run, [np.repeat(x, BATCH, axis=0) for x in row])
        return tuple(result)

    def _found(self, trace: Trace) -> tuple[Any, Any]:
        if self._wanted is not None:
            return named_site(trace, self._wanted)
        site = last_attention_site(trace)
        if site is None and self._after is None:
            site = last_tokens_site(trace)
        if site is None:
            raise NoTokensError(
                f"model `{self.model.name}` has no tokens (batch, tokens, channels) to explain"
            )
        before = [one for one in trace.calls if one.path[-1] == self._after]
        if before and site[1].op.name in {x.name for x in trace.graph.get_operations()[: before[-1].last]}:
            raise NoTokensError(f"the last attention comes before `{self._after}`")
        return site


class _Energy:
    """Size of the gradients of weighted sums of tokens at each pixel, with the attention's mixing held fixed."""

    def __init__(self, network: TokenNetwork, site: Any, row: Sequence[np.ndarray]):
        self.network, self.site = network, site
        self.inputs = [tf.constant(np.repeat(x, ROWS, axis=0)) for x in row]
        # A partial, since TensorFlow counts the traces of all functions with the same code together, and warns.
        self.function = tf.function(partial(self._gradient), autograph=False)
        self.signs = np.random.default_rng(1)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Return `(n, H, W)` for weights `(n, N)`."""
        results = []
        for start in range(0, len(weights), ROWS):
            part = weights[np.minimum(np.arange(start, start + ROWS), len(weights) - 1)]
            results.append(self.function(tf.constant(part), self.inputs).numpy())
        return np.concatenate(results)[: len(weights)]

    def same_twice(self, count: int) -> bool:
        """Return whether the gradients of two runs are the same."""
        weights = binary_masks(count)[:1]
        first, second = self(weights), self(weights)
        return bool(np.allclose(first, second, rtol=1e-2, atol=1e-3 * max(np.abs(first).max(), 1e-30)))

    def _gradient(self, weights: Any, inputs: Sequence[Any]) -> Any:
        network, taken = self.network, []
        with ExitStack() as stack:
            stack.enter_context(self.site.through(lambda x: taken.append(x) or x))
            network.base.outputs(inputs)
        tokens, image = taken[-1], inputs[network.image]
        graph = tf.compat.v1.get_default_graph()
        directions = self.signs.normal(size=tokens.shape[1:]).astype(np.float32)
        total = tf.reduce_sum(tf.cast(tokens, tf.float32) * weights[..., None] * directions)
        # Whole numbers have no gradient; what they are cast to has.
        starts = [image] if image.dtype.is_floating else _casts(image)
        found = tf.gradients(total, starts, stop_gradients=mixed_values(softmaxes(graph))) if starts else []
        found = [tf.cast(x, tf.float32) for x in found if x is not None]
        if not found:
            return tf.zeros(image.shape[:3])
        return tf.reduce_sum(tf.abs(tf.add_n(found)), axis=-1)


def _casts(image: Any) -> list[Any]:
    users = [x for user in image.consumers() if user.type == "Cast" for x in user.outputs]
    return [x for x in users if x.dtype.is_floating]


def _traced(function: Any, arrays: Sequence[np.ndarray]) -> None:
    """Run a function once in a graph with the arrays' shapes, without computing it."""
    specs = [tf.TensorSpec(x.shape, x.dtype) for x in arrays]
    tf.function(partial(function), autograph=False).get_concrete_function(*specs)


def _noise_like(image: np.ndarray) -> np.ndarray:
    """Return noise of an image's range: every patch has an edge, and none is flat."""
    low, high = float(image.min()), float(image.max())
    noise = np.random.default_rng(0).uniform(low, high if high > low else low + 1, image.shape)
    return (np.round(noise) if image.dtype.kind in "iu" else noise).astype(image.dtype)


def _example(shape: Sequence[int], dtype: str) -> np.ndarray:
    """Return one row of an input: noise, of whole numbers 0 and 1 for integers."""
    noise = np.random.default_rng(0).uniform(0, 1, (1, *shape))
    return np.round(noise).astype(dtype) if "int" in dtype or dtype == "bool" else noise.astype(dtype)
