"""Which token of a vision transformer belongs to which cell of a grid over the image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, is_whole
from wsseg.grid import Grid


@dataclass(frozen=True)
class Layout:
    """Tokens laid out as a grid.

    Attributes:
        order: `(h, w)` int32: number of the token in each cell.
        count: Number of tokens, those without a place (class, distillation and register tokens) included.
        grid: Where in the image the cells look, or None if unknown.

    Example:
        >>> Layout(rows_first(5, (2, 2)), 5, None).order
        array([[1, 2],
               [3, 4]], dtype=int32)
    """

    order: np.ndarray
    count: int
    grid: Grid | None

    def __post_init__(self):
        # Token n of the result of `replaced` stands at this number among the old tokens followed by the new cells.
        source = np.arange(self.count, dtype=np.int32)
        source[self.order.ravel()] = self.count + np.arange(self.order.size, dtype=np.int32)
        object.__setattr__(self, "_source", source)

    @property
    def all_placed(self) -> bool:
        """True if every token has a cell."""
        return self.order.size == self.count

    def cells(self, tokens: Any) -> tf.Tensor:
        """Lay tokens `(B, N, C)` out as `(B, h, w, C)`."""
        found = tf.gather(tokens, self.order.ravel(), axis=1)
        return tf.reshape(found, [-1, *self.order.shape, tokens.shape[-1]])

    def cells_of_rows(self, values: Any) -> tf.Tensor:
        """Lay values of tokens `(B, T, N)` out as `(B, T, h, w)`."""
        found = tf.gather(values, self.order.ravel(), axis=2)
        return tf.reshape(found, [-1, values.shape[1], *self.order.shape])

    def replaced(self, tokens: Any, cells: Any) -> tf.Tensor:
        """Return tokens `(B, N, C)` whose cells are replaced by `cells`, `(B, h, w, C)`; the others are kept."""
        flat = tf.reshape(tf.cast(cells, tokens.dtype), [-1, self.order.size, cells.shape[-1]])
        if self.all_placed:  # then nothing depends on the old tokens, and they need not be computed
            return tf.gather(flat, self._source - self.count, axis=1)
        return tf.gather(tf.concat([tokens, flat], axis=1), self._source, axis=1)


def rows_first(count: int, grid_hw: tuple[int, int]) -> np.ndarray:
    """Return the order `(h, w)` of tokens that run row by row, after those without a place."""
    height, width = grid_hw
    return (np.arange(height * width, dtype=np.int32) + count - height * width).reshape(grid_hw)


def given_layout(reshape: Any, count: int, channels: int, found: Layout | None) -> Layout:
    """Return the layout that the user gives.

    Args:
        reshape: `(h, w)`: the last h * w tokens, row by row. Or a function from tokens `(B, N, C)` to
            `(B, h, w, C)`, which only takes and moves tokens.
        count: N.
        channels: C.
        found: The layout that was measured, or None if it could not be.

    Raises:
        InputError: `reshape` is neither, does not fit N, or contradicts what was measured.
    """
    if callable(reshape):
        layout = Layout(_order_by(reshape, count, channels), count, None)
    else:
        pair = reshape if isinstance(reshape, (tuple, list)) else (None,)
        if len(pair) != 2 or not all(is_whole(x, 1) for x in pair):
            raise InputError(
                "`reshape` must be (height, width) in tokens, or a function from tokens (B, N, C) to "
                f"(B, h, w, C); got {reshape!r}"
            )
        grid_hw = (int(pair[0]), int(pair[1]))
        if grid_hw[0] * grid_hw[1] > count:
            raise InputError(f"`reshape` is {grid_hw}, but the layer has only {count} tokens")
        layout = Layout(rows_first(count, grid_hw), count, None)
    if found is None:
        return layout
    if np.array_equal(found.order, layout.order):
        return found
    if callable(reshape) or found.order.shape != layout.order.shape:
        raise InputError(
            f"`reshape` gives tokens {_some(layout.order)} as a grid of {layout.order.shape}, but by their gradients "
            f"the tokens {_some(found.order)} see the image as a grid of {found.order.shape}; remove `reshape`"
        )
    return found  # the same size in another order, which was measured


def _order_by(reshape: Callable, count: int, channels: int) -> np.ndarray:
    numbers = np.broadcast_to(np.arange(count, dtype=np.float32)[None, :, None], (1, count, channels))
    try:
        moved = np.asarray(reshape(tf.constant(numbers)))
    except Exception as error:
        raise InputError(f"`reshape` fails for tokens {numbers.shape}: {error}") from error
    order = moved[0, ..., 0] if moved.ndim == 4 else None
    wanted = f"`reshape` must return (1, h, w, {channels}) for tokens {numbers.shape}"
    if order is None or moved.shape != (1, *order.shape, channels):
        raise InputError(f"{wanted}; got {moved.shape}; the channels stand last")
    whole = np.isin(order, np.arange(count)).all() and (moved == order[None, ..., None]).all()
    if not whole or len(np.unique(order)) != order.size:
        raise InputError(f"{wanted}, each token once and unchanged; it changes or repeats tokens")
    return order.astype(np.int32)


def _some(order: np.ndarray) -> str:
    flat = [str(x) for x in order.ravel()]
    return ", ".join(flat if len(flat) < 6 else [*flat[:4], "..."])
