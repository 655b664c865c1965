"""The split of images into train and val, with a fixed share of each class in val."""

import hashlib
from collections.abc import Mapping
from typing import TypeVar

Item = TypeVar("Item")


def drawn_for_val(stems: Mapping[Item, str], share: float) -> set[Item]:
    """Draw the images of one class that are in val: the first of them in the order of the MD5 hash of their stems.

    Their number is the share of the class, rounded (halves up). With two or more images, train and val have at least
    one each, unless the share is 0. The order of an image never changes, so an image that is added moves at most one
    other image from one split to the other.

    Args:
        stems: Image -> file name without extension. Images with the same stem keep the order given.
        share: Share of the images in val, in [0, 1).

    Example:
        >>> sorted(drawn_for_val({name: name for name in "abcdefghij"}, 0.2))
        ['a', 'h']
        >>> [hashlib.md5(name.encode()).hexdigest()[:3] for name in "ahj"]  # the next one is j
        ['0cc', '251', '363']
    """
    count = int(share * len(stems) + 0.5)
    if share and len(stems) > 1:
        count = min(max(count, 1), len(stems) - 1)
    return set(sorted(stems, key=lambda item: _hash(stems[item]))[:count])


def _hash(stem: str) -> str:
    return hashlib.md5(stem.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
