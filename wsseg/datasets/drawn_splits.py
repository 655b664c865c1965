"""The split of images into train and val by a hash of their ids."""

import hashlib
from collections.abc import Mapping


def drawn_splits(identities: Mapping[str, str], val_share: float) -> dict[str, str]:
    """Split images into train and val by a hash of their id, so that new images do not move the old ones.

    With two or more images, each of the two splits has at least one.

    Args:
        identities: Name of an image -> its id.
        val_share: Share of the images in val, in [0, 1).

    Returns:
        Name -> train or val.

    Example:
        >>> drawn_splits({"a.jpg": "a", "b.jpg": "b"}, 0.2)
        {'a.jpg': 'train', 'b.jpg': 'val'}
    """
    numbers = {
        name: int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") / 2**64
        for name, identity in identities.items()
    }
    val = {name for name, number in numbers.items() if number < val_share}
    if len(numbers) > 1 and val_share:
        val |= {min(numbers, key=numbers.__getitem__)}
        val -= {max(numbers, key=numbers.__getitem__)}
    return {name: "val" if name in val else "train" for name in numbers}
