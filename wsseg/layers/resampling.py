"""Separable resampling by one matrix per axis: cubic or linear, with or without antialiasing, of any size."""

from typing import Any

from keras import ops


def _cubic(x: Any) -> Any:
    """The cubic convolution kernel with a = -0.5 (Keys 1981, equation 15)."""
    x = ops.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return ops.where(x < 1.0, near, ops.where(x < 2.0, far, ops.zeros_like(x)))


def _linear(x: Any) -> Any:
    return ops.maximum(1.0 - ops.abs(x), 0.0)


KERNELS = {"cubic": _cubic, "linear": _linear}


def resampling_matrix(before: Any, after: Any, kernel: str, antialias: bool) -> Any:
    """Return the matrix that resamples one axis with half-pixel centres.

    Cell `i` of the result lies at `(i + 0.5) * before / after - 0.5`. The weights of the cells inside the map are
    divided by their sum, so a constant map stays constant up to the border (as in TensorFlow). With `antialias` the
    kernel is widened by the factor `before / after` if this is above 1.

    Args:
        before: Number of cells of the input, an integer or a scalar tensor.
        after: Number of cells of the result, an integer or a scalar tensor.
        kernel: "cubic" or "linear".
        antialias: Whether the kernel is widened for a smaller result.

    Returns:
        `(after, before)` float32; each row sums to 1.

    References:
        Keys, Cubic convolution interpolation for digital image processing, 1981.

    Example:
        >>> resampling_matrix(2, 4, "linear", False).numpy().tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    ratio = ops.cast(before, "float32") / ops.cast(after, "float32")
    position = (ops.arange(after, dtype="float32") + 0.5) * ratio - 0.5
    distance = position[:, None] - ops.arange(before, dtype="float32")[None]
    weights = KERNELS[kernel](distance / ops.maximum(ratio, 1.0) if antialias else distance)
    return weights / ops.sum(weights, axis=1, keepdims=True)


def resample(maps: Any, size_hw: tuple[Any, Any], kernel: str, antialias: bool) -> Any:
    """Resample `(B, h, w, C)` to `(B, H, W, C)`.

    Args:
        maps: A tensor, not a symbolic one.
        size_hw: `(H, W)`, each an integer or a scalar tensor.
        kernel: "cubic" or "linear".
        antialias: Whether the kernel is widened for a smaller result. See `resampling_matrix`.
    """
    before_hw = ops.shape(maps)[1:3]
    rows, columns = (
        ops.cast(resampling_matrix(before, after, kernel, antialias), maps.dtype)
        for before, after in zip(before_hw, size_hw)
    )
    return ops.einsum("xw,bywc->byxc", columns, ops.einsum("yh,bhwc->bywc", rows, maps))
