"""One split of a dataset that is written in another form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record

Copy = Callable[[Record, Path], Path]
"""Function that writes a record's image to a path without extension, and returns the file."""


@dataclass(frozen=True)
class WrittenSplit:
    """A split and the names of its images.

    Attributes:
        dataset: The split.
        names: Image id -> name of its file, without extension; no two splits share one.
    """

    dataset: Dataset
    names: Mapping[str, str]

    @property
    def records(self) -> list[Record]:
        """The images of the split."""
        return list(self.dataset)
