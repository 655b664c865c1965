"""Random numbers that belong to an image: the same ones whatever other images there are."""

import hashlib
from collections.abc import Iterable

import numpy as np


def generator(seed: int, purpose: str, image_id: str) -> np.random.Generator:
    """Return the random generator of one image for one purpose.

    Args:
        seed: The recipe's.
        purpose: What is drawn; other purposes draw independently.
        image_id: The image.

    Example:
        >>> generator(0, "noise", "a").random() == generator(0, "noise", "a").random()
        True
    """
    key = hashlib.sha256(f"{seed}\0{purpose}\0{image_id}".encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big"))


def uniform_draws(seed: int, purpose: str, image_ids: Iterable[str], count: int = 1) -> np.ndarray:
    """Return `(N, count)` numbers, uniform in [0, 1), a row for each image."""
    rows = [generator(seed, purpose, image_id).random(count) for image_id in image_ids]
    return np.array(rows).reshape(-1, count)


def drawn_share(seed: int, purpose: str, image_ids: Iterable[str], share: float) -> list[str]:
    """Draw a share of images; a larger share holds every image of a smaller one.

    Args:
        seed: The recipe's.
        purpose: What is drawn.
        image_ids: To draw from; they must differ.
        share: In [0, 1]; the count is rounded, and at least 1 where neither the share nor the list is empty.

    Returns:
        The ids drawn, in the order given.

    Example:
        >>> len(drawn_share(0, "masks", "abcdefgh", 0.5)), drawn_share(0, "masks", "ab", 0)
        (4, [])
    """
    ids = list(image_ids)
    count = max(round(share * len(ids)), 1) if share > 0 and ids else 0
    order = np.argsort(uniform_draws(seed, purpose, ids)[:, 0], kind="stable")
    kept = {ids[place] for place in order[:count]}
    return [image_id for image_id in ids if image_id in kept]
