"""Random numbers of one image, independent of which other images there are."""

import hashlib
from collections.abc import Iterable

import numpy as np


def generator(seed: int, purpose: str, image_id: str) -> np.random.Generator:
    """Return the random generator of one image for one purpose.

    Args:
        seed: Random seed of the recipe.
        purpose: Name of the purpose; numbers for different purposes are independent.
        image_id: Id of the image.

    Example:
        >>> generator(0, "noise", "a").random() == generator(0, "noise", "a").random()
        True
    """
    key = hashlib.sha256(f"{seed}\0{purpose}\0{image_id}".encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big"))


def uniform_draws(seed: int, purpose: str, image_ids: Iterable[str], count: int = 1) -> np.ndarray:
    """Return `(N, count)` numbers, uniform in [0, 1), one row per image."""
    rows = [generator(seed, purpose, image_id).random(count) for image_id in image_ids]
    return np.array(rows).reshape(-1, count)


def drawn_share(seed: int, purpose: str, image_ids: Iterable[str], share: float) -> list[str]:
    """Draw a share of images; a larger share holds every image of a smaller one.

    Args:
        seed: Random seed of the recipe.
        purpose: Name of the purpose; draws for different purposes are independent.
        image_ids: Ids to draw from; they must differ.
        share: Share of the images, in [0, 1]. The count is rounded, and is at least 1 unless the share is 0 or there
            are no images.

    Returns:
        The ids drawn, in the order given.

    Example:
        >>> len(drawn_share(0, "masks", "abcdefgh", 0.5)), drawn_share(0, "masks", "ab", 0)
        (4, [])
    """
    ids = list(image_ids)
    count = max(round(share * len(ids)), 1) if share > 0 and ids else 0
    order = np.argsort(uniform_draws(seed, purpose, ids)[:, 0], kind="stable")
    kept = {ids[index] for index in order[:count]}
    return [image_id for image_id in ids if image_id in kept]
