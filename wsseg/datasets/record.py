"""One labelled image of a dataset: where it is and what is known about it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """An image, its image-level labels and, where there is one, its mask.

    Attributes:
        id: The file's stem: unique within a dataset, any string that may be a file name.
        image: The image file.
        labels: Names of the classes present, in the dataset's class order.
        mask: The file of its mask, or None. Its values are the file's own ids: read it through
            `Dataset.read_mask`, which turns them into the dataset's.
        instances: The file that its objects are told apart in, or None: read through `Dataset.read_instances`.

    Example:
        >>> Record("cat 1", Path("cat 1.jpg"), ("cat",)).mask is None
        True
    """

    id: str
    image: Path
    labels: tuple[str, ...]
    mask: Path | None = None
    instances: Path | None = None
