"""What a dataset says of its files, so that a folder's layout can be told by them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Layout:
    """One layout of files.

    Attributes:
        name: The dataset that reads it.
        marks: What makes a folder one of this layout, in words.
        fits: Tells whether a folder has these marks.
        splits: The splits with annotations that a folder has, given the dataset's options.
        options: What a check sets beside the user's options, as it may open masks; also options that the files
            suggest.
        remarks: Meaning of each such option, in a few words.
    """

    name: str
    marks: str
    fits: Callable[[Path], bool]
    splits: Callable[[Path, Mapping[str, Any]], list[str]]
    options: Callable[[Path], Mapping[str, Any]] = lambda root: {}
    remarks: Mapping[str, str] = field(default_factory=dict)


def without_joined(splits: set[str]) -> list[str]:
    """Return splits without those made of others (trainval), and without VOC's test, which has no annotations.

    Example:
        >>> without_joined({"train", "val", "trainval", "test"})
        ['train', 'val']
    """
    if {"train", "val"} <= splits or {"trainaug", "val"} <= splits:
        splits = splits - {"trainval"}
    return sorted(splits - {"test"})
