"""Target for segmenters: the scores of a class at a set of pixels."""

from collections.abc import Hashable
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.rows import check_below, index_rows
from wsseg.explainers.targets.target import Target


class SegmentationPixels(Target):
    r"""The sum of a class's scores over a set of pixels, $\sum_{(i, j) \in M} y_{ij}^c$.

    With Grad-CAM this is Seg-Grad-CAM (Vinogradova et al. 2020 †). The output must be `(B, H, W, K)`, scores of K
    classes per pixel.

    Args:
        class_id: Class index, or `(B,)`, one per image.
        mask: Pixels M on the output's grid (which may lack the image's margin): `(H, W)` bool for all images, or
            `(B, H, W)`. None for the pixels where this class has the highest score; an image without such pixels gets
            a map of 0. With None, an explainer that perturbs the image sums over the pixels predicted in each
            perturbed image; give `mask` to keep the set fixed.
        reduction: "sum", as in the paper, or "mean", which does not grow with the number of pixels.
        output: Name or position of the output, for a model with several outputs.
        logits: Whether to explain the scores before a final softmax or sigmoid; False for the model's own outputs.

    Raises:
        InputError: The class or the mask does not fit the output, or a mask is empty.

    References:
        Vinogradova, Dibrov, Myers: Towards Interpretable Semantic Segmentation via Gradient-Weighted Class Activation
        Mapping, AAAI 2020. († quoted from memory.)

    Example:
        >>> score = np.zeros((1, 2, 2, 3), np.float32)
        >>> score[0, :, 0, 2] = 4, 5  # class 2 is predicted in the left column
        >>> SegmentationPixels(2).scores(score, np.array([2])).numpy().tolist()
        [9.0]
    """

    saturates = True

    def __init__(
        self,
        class_id: Any,
        mask: Any = None,
        reduction: str = "sum",
        output: str | int | None = None,
        logits: bool = True,
    ):
        if reduction not in ("sum", "mean"):
            raise InputError(f"`reduction` must be sum or mean; got {reduction!r}")
        self.class_id, self.reduction = index_rows("class_id", class_id), reduction
        self.output, self.logits = output, logits
        self.mask = None if mask is None else _checked(np.asarray(mask))
        self.arrays = (self.class_id,) if mask is None else (self.class_id, self.mask)

    @property
    def key(self) -> Hashable:
        """Includes the reduction, and whether the pixels are given."""
        return (*super().key, self.reduction, self.mask is None)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error if the output has no such class or pixels."""
        self._check(outputs.one(default if self.output is None else self.output, logits=False).shape)

    def scores(self, outputs: Any, class_id: Any, mask: Any = None) -> Any:
        """Sum the class's scores over the pixels, `(B,)`."""
        ops = keras.ops
        self._check(outputs.shape)
        mine = ops.take_along_axis(outputs, class_id[:, None, None, None], axis=3)[..., 0]
        if mask is None:
            mask = ops.equal(ops.cast(ops.argmax(outputs, axis=-1), "int32"), class_id[:, None, None])
        mask = ops.cast(mask, mine.dtype)
        total = ops.sum(mine * mask, axis=(1, 2))
        return total if self.reduction == "sum" else total / ops.maximum(ops.sum(mask, axis=(1, 2)), 1)

    def _check(self, shape: Any) -> None:
        if len(shape) != 4:
            raise InputError(
                f"SegmentationPixels needs an output (batch, height, width, classes), but this one is {tuple(shape)}; "
                "choose one with `output=`, or use ClassScores for a classifier"
            )
        check_below("class_id", self.class_id, shape[3], "classes")
        if self.mask is None and shape[3] == 1:
            raise InputError(
                "an output of one class predicts this class at every pixel; give the pixels to explain as `mask`"
            )
        if self.mask is not None and any(a not in (None, b) for a, b in zip(shape[1:3], self.mask.shape[1:])):
            raise InputError(
                f"`mask` must be {tuple(shape[1:3])} (height, width), like the output; got {self.mask.shape[1:]}"
            )


def _checked(mask: np.ndarray) -> np.ndarray:
    """Return `(B, H, W)` bool."""
    if mask.ndim not in (2, 3) or not (mask.dtype == bool or np.isin(mask, (0, 1)).all()):
        raise InputError(
            f"`mask` must be (H, W) or (B, H, W), True at the pixels to explain; got {mask.shape} {mask.dtype}; "
            "for a mask of class ids give `mask == class_id`"
        )
    mask = mask.astype(bool).reshape(-1, *mask.shape[-2:])
    empty = ~mask.any(axis=(1, 2))
    if empty.any():
        raise InputError(
            f"`mask` has no pixel in {empty.sum()} of {len(mask)} images (first: number {np.argmax(empty)}); remove "
            "these images"
        )
    return mask
