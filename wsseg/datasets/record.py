"""One labelled image of a dataset: its files and its labels."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """An image, its image-level labels and, if there is one, its mask.

    Attributes:
        id: Stem of the image file: unique within a dataset, any string that is a legal file name.
        image: The image file.
        labels: Names of the classes present, in the dataset's class order.
        mask: File of the mask, or None. Its values are the file's own ids; `Dataset.read_mask` reads it and converts
            them to the dataset's ids. It is the image file itself if the image is known to hold background only.
        instances: File of the image's objects, or None; `Dataset.read_instances` reads it.

    Example:
        >>> Record("cat 1", Path("cat 1.jpg"), ("cat",)).mask is None
        True
    """

    id: str
    image: Path
    labels: tuple[str, ...]
    mask: Path | None = None
    instances: Path | None = None
