"""Maps of tokens that are empty: the reason is said."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.core import Explainer
from wsseg.explainers.gradients import head_gradients
from wsseg.explainers.score import Score
from wsseg.explainers.targets import Target
from wsseg.explainers.token_network import TokenNetwork


def explain_empty(explainer: Explainer, maps: np.ndarray, inputs: Sequence[Any], target: Target) -> None:
    """Say why maps of tokens are all 0.

    Args:
        explainer: An explainer; of networks without tokens nothing is said.
        maps: `(B, T, h, w)`, not enlarged.
        inputs: The model's inputs as a flat list.
        target: The target of the maps.

    Raises:
        InputError: The score does not depend on the tokens of the patches: they get a gradient of 0, as behind the
            last attention block if only the class token is read.
    """
    if not isinstance(explainer.network, TokenNetwork):
        return
    empty = ~maps.any(axis=(2, 3))
    absent = target.absent(len(maps))
    if absent is not None:
        empty &= ~absent
    if not empty.any():
        return
    function = explainer.compiled(
        ("gradients", target.key),
        lambda given, arrays: head_gradients(
            explainer.network, given, Score(target, arrays, explainer.output)
        )[1],
    )
    gradients = function([tf.constant(x) for x in inputs], [tf.constant(x) for x in target.arrays]).numpy()
    if not gradients.any(axis=(2, 3, 4))[empty].any():
        raise InputError(
            f"the score does not depend on the patches' tokens at `{explainer.layer}`: their gradient is 0, as behind "
            "the last attention block where only the class token is read; leave out `layer` to explain the tokens that "
            "this block reads"
        )
    warnings.warn(
        f"{empty.sum()} of {empty.size} maps at `{explainer.layer}` are empty: no patch has evidence above 0 for the "
        "score by this method; try `layer_cam`, `attention_relevance` or `occlusion`",
        stacklevel=4,
    )
