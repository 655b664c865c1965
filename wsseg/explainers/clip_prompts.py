"""From class names to CLIP's text embeddings: sentences, token ids, one vector per class."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError

TEMPLATES = ("a clean origin {}.",)
"""CLIP-ES's sentence (section 3.2; †). Other sentences may be given; several are averaged."""

BACKGROUND = (
    *(
        "ground",
        "land",
        "grass",
        "tree",
        "building",
        "wall",
        "sky",
        "lake",
        "water",
        "river",
        "sea",
        "railway",
    ),
    *(
        "railroad",
        "keyboard",
        "helmet",
        "cloud",
        "house",
        "mountain",
        "ocean",
        "road",
        "rock",
        "street",
        "valley",
    ),
    *("bridge", "sign"),
)
"""CLIP-ES's words for the background of Pascal VOC's objects; †. Remove the words that are classes of yours."""


def token_ids(
    names: Sequence[str], tokenizer: Any, templates: Sequence[str] = TEMPLATES, length: int = 77
) -> np.ndarray:
    """Insert each name into every template and convert the sentences to token ids.

    Args:
        names: Names of K classes.
        tokenizer: A `keras_hub.models.CLIPTokenizer`, from a preset or from your own files.
        templates: P sentences with `{}` for the name.
        length: Tokens per sentence, including start and end. Longer sentences are cut; shorter ones are padded with 0.

    Returns:
        `(K, P, length)` int32.

    Raises:
        InputError: There is no name or no template, or a template has no `{}`.

    References:
        Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021, section 3.1.4.
    """
    if not len(names) or isinstance(names, str):
        raise InputError(f"`names` must be a list of class names; got {names!r}")
    wrong = [template for template in templates if "{}" not in template]
    if wrong or not len(templates) or isinstance(templates, str):
        raise InputError(
            f"`templates` must be sentences with {{}} for the name; got {wrong or templates!r}; try {TEMPLATES[0]!r}"
        )
    ids = np.zeros((len(names), len(templates), length), np.int32)
    for row, name in zip(ids, names):
        for target, template in zip(row, templates):
            words = np.asarray(tokenizer(template.format(name).lower())).ravel()[: length - 2]
            sentence = [tokenizer.start_token_id, *words, tokenizer.end_token_id]
            target[: len(sentence)] = sentence
    return ids


def text_embeddings(clip: keras.Model, ids: np.ndarray) -> np.ndarray:
    """Embed sentences and average them per class: the mean of unit vectors, normalised to a unit vector.

    The text transformer is causal, and a sentence's embedding is read at its end token, which has the largest id.
    The padding after the end token therefore changes nothing.

    Args:
        clip: A `keras_hub.models.CLIPBackbone`.
        ids: `(K, P, L)` token ids of P sentences for each of K classes; or `(K, L)`.

    Returns:
        `(K, D)` float32 unit vectors.

    Raises:
        InputError: `ids` has another shape, or more tokens than the network takes.
    """
    ids = np.asarray(ids)
    if ids.ndim == 2:
        ids = ids[:, None]
    most = clip.text_encoder.max_sequence_length
    if ids.ndim != 3 or not ids.size or ids.dtype.kind not in "iu" or ids.shape[2] > most:
        raise InputError(
            f"`ids` must be (classes, sentences, tokens) of int, at most {most} tokens; got {ids.dtype} {ids.shape}"
        )
    found = [
        np.asarray(keras.ops.cast(clip.get_text_embeddings(keras.ops.array(sentences, "int32")), "float32"))
        for sentences in ids  # class by class: few sentences at a time
    ]
    return unit(unit(np.stack(found)).mean(axis=1))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Divide vectors `(..., D)` by their lengths."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
