"""A dataset: a sequence of records, and the methods that read their images, labels and masks."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np

from wsseg.artifacts import digest, read_mask
from wsseg.class_names import foreground_names
from wsseg.datasets.mask_ids import mask_id_table, translate
from wsseg.datasets.record import Record
from wsseg.errors import InputError, nearest
from wsseg.image_files import image_size_hw, read_image, stored_size_hw
from wsseg.objects.instances import Instances, instances_of_maps


class Dataset(Sequence[Record]):
    """Records in a fixed order, with one meaning of class ids: mask id `k + 1` is `classes[k]`.

    Args:
        name: Name of the dataset in recipes and reports.
        split: Part of the dataset, such as train or val.
        classes: Foreground classes, in mask-id order.
        records: The records; their ids must differ.
        set_aside: Images that are not in the dataset because they cannot be used, `id -> reason`.
        mask_ids: `(V,) int16`: table from the values of the mask files to ids (0 = background, 1..K, 255 = ignore,
            -1 = illegal; values of V and above are illegal too). None if the files already use these ids.
        instance_reader: Function that reads the objects of a record with `instances`; None for an 8-bit PNG of
            instance numbers beside the mask.
        mask_reader: Function that reads the mask values of a record with a mask, `(H, W)` integers; None for an
            8-bit PNG. Datasets are sent to worker processes, so a reader must be quick to pickle.
        left_out: Objects that were left out although their images are kept, `object -> reason`.
        box_reader: Function that reads the boxes of a record's objects without opening a mask; None if boxes are
            not known.

    Raises:
        InputError: There is no class, a class or an id appears twice, or a label is not in `classes`.

    Example:
        >>> from pathlib import Path
        >>> records = [Record("a", Path("a.jpg"), ("dog",)), Record("b", Path("b.jpg"), ("cat", "dog"))]
        >>> dataset = Dataset("pets", "train", ("cat", "dog"), records)
        >>> len(dataset), dataset[1].labels, dataset.label_vector(dataset[0])
        (2, ('cat', 'dog'), array([0., 1.], dtype=float32))
    """

    def __init__(
        self,
        name: str,
        split: str,
        classes: Sequence[str],
        records: Iterable[Record],
        set_aside: Mapping[str, str] | None = None,
        mask_ids: np.ndarray | None = None,
        instance_reader: Callable[[Record], Instances] | None = None,
        mask_reader: Callable[[Record], np.ndarray] | None = None,
        left_out: Mapping[str, str] | None = None,
        box_reader: Callable[[Record], Instances] | None = None,
        ignored: Mapping[str, str] | None = None,
        remarks: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.split = split
        self.classes = tuple(classes)
        self.set_aside: dict[str, str] = dict(set_aside or {})
        self.left_out: dict[str, str] = dict(left_out or {})
        self.ignored: dict[str, str] = dict(ignored or {})
        self.remarks: dict[str, str] = dict(remarks or {})
        self._records = tuple(records)
        self._mask_ids = mask_id_table(self.classes, self.classes) if mask_ids is None else mask_ids
        self._instance_reader = instance_reader
        self._mask_reader = mask_reader
        self._box_reader = box_reader
        foreground_names(self.classes, f"`classes` of dataset `{name}`")
        if repeated := _first_repeated(record.id for record in self._records):
            raise InputError(
                f"dataset `{name}`: two images have the id `{repeated}` (their file names without the "
                "extension are equal); rename one of them"
            )
        self._check_labels()

    def _check_labels(self) -> None:
        known = set(self.classes)
        for record in self._records:
            for label in record.labels:
                if label not in known:
                    raise InputError(
                        f"image `{record.id}` has the label `{label}`, which is not among the classes of "
                        f"dataset `{self.name}`; {nearest(label, self.classes)}"
                    )

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index):
        return self._records[index]

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, split={self.split!r}, images={len(self)}, classes={self.classes})"

    def read_image(self, record: Record) -> np.ndarray:
        """Read the image as `(H, W, 3) uint8` RGB; see `wsseg.image_files.read_image`."""
        return read_image(record.image)

    def size_hw(self, record: Record) -> tuple[int, int]:
        """Return the height and width that `read_image` gives, without reading the whole file."""
        return image_size_hw(record.image)

    def read_mask(self, record: Record) -> np.ndarray:
        """Read the mask in this dataset's ids.

        Returns:
            `(H, W) uint8`, as large as the image: 0 = background, 1..K = `classes`, 255 = ignore.

        Raises:
            InputError: The record has no mask; or the mask is broken, differs in size from its image, or holds a
                value that is no class id. The message names the file or files.
        """
        if record.mask is None:
            raise InputError(
                f"image `{record.id}` has no mask; dataset `{self.name}` ({self.split}) was asked for one"
            )
        stored = read_mask(record.mask) if self._mask_reader is None else self._mask_reader(record)
        size_hw = image_size_hw(record.image)
        if stored.shape != size_hw:
            raise InputError(
                f"mask {record.mask} is {stored.shape[1]} x {stored.shape[0]} pixels but its image "
                f"{record.image} is {size_hw[1]} x {size_hw[0]} (width x height); they must be equal"
                + _turned(record.image, stored.shape)
            )
        return translate(stored, self._mask_ids, f"mask {record.mask}")

    def read_instances(self, record: Record) -> Instances:
        """Read the objects of this dataset's classes in the image, with their masks.

        Raises:
            InputError: The record has no instances, or their file is broken or differs in size from the image; the
                message names the file.
        """
        if record.instances is None:
            raise InputError(
                f"image `{record.id}` has no instances; dataset `{self.name}` ({self.split}) was asked for them"
            )
        if self._instance_reader is not None:
            found, size_hw = self._instance_reader(record), image_size_hw(record.image)
            if found.size_hw != size_hw:
                raise InputError(
                    f"instances {record.instances} are {found.size_hw[1]} x {found.size_hw[0]} pixels but their "
                    f"image {record.image} is {size_hw[1]} x {size_hw[0]} (width x height); they must be equal"
                )
            return found
        try:
            return instances_of_maps(read_mask(record.instances), self.read_mask(record))
        except InputError as error:
            raise InputError(f"instances {record.instances} of image {record.image}: {error}") from error

    @property
    def knows_boxes(self) -> bool:
        """Whether `read_boxes` can be called. `without_masks` keeps it, because boxes are weak supervision."""
        return self._box_reader is not None

    def read_boxes(self, record: Record) -> Instances:
        """Read the boxes of this dataset's classes in the image, crowds included, without masks.

        Raises:
            InputError: The dataset has no boxes, or their file is broken; the message names it.
        """
        if self._box_reader is None:
            raise InputError(f"dataset `{self.name}` has no boxes")
        return self._box_reader(record)

    def label_vector(self, record: Record) -> np.ndarray:
        """Return the image-level labels as `(K,) float32` of zeros and ones, in the order of `classes`."""
        return np.array([name in record.labels for name in self.classes], np.float32)

    def without_masks(self) -> "Dataset":
        """Return the same records without masks and instances, as a weakly supervised stage gets them."""
        return self._with(replace(record, mask=None, instances=None) for record in self._records)

    def with_labels(self, labels: Mapping[str, Sequence[str]]) -> "Dataset":
        """Return the same records with other labels.

        Args:
            labels: Image id -> labels of the image, in any order. Entries of other images are not read.

        Raises:
            InputError: An image has no entry, or a label is not among the classes.
        """
        if missing := [record.id for record in self._records if record.id not in labels]:
            raise InputError(f"no labels of image `{missing[0]}` in dataset `{self.name}` ({self.split})")
        other = self._with(
            replace(record, labels=tuple(sorted(labels[record.id], key=_class_index(self.classes))))
            for record in self._records
        )
        other._check_labels()
        return other

    def subset(self, ids: Iterable[str]) -> "Dataset":
        """Return the records with these ids, in this dataset's order.

        Raises:
            InputError: An id is not in the dataset; the message names the nearest id in it.
        """
        wanted = set(ids)
        known = {record.id for record in self._records}
        for name in sorted(wanted - known):
            raise InputError(
                f"no image `{name}` in dataset `{self.name}` ({self.split}); {_near(name, known)}"
            )
        return self._with(record for record in self._records if record.id in wanted)

    def fingerprint(self) -> str:
        """Return a short hash of the dataset's content, independent of its folder.

        The hash covers the ids, the labels, the sizes of the image files, which records have masks, the classes and,
        if there are masks, the table of mask values. So data may be moved without a stage running again.

        Raises:
            InputError: An image file no longer exists.
        """
        rows = []
        for record in self._records:
            try:
                size = record.image.stat().st_size
            except OSError as error:
                raise InputError(f"image {record.image} cannot be read ({error.strerror})") from error
            rows.append([record.id, record.labels, size, record.mask is not None])
        masks = any(record.mask is not None for record in self._records)
        return digest([self.name, self.split, self.classes, rows, self._mask_ids.tolist() if masks else None])

    def _with(self, records: Iterable[Record]) -> "Dataset":
        other = copy.copy(self)
        other._records = tuple(records)
        other.set_aside = dict(self.set_aside)
        return other


def _turned(image: Path, size_hw: tuple[int, int]) -> str:
    """Return a hint if a mask fits the stored pixels of an image that is shown turned."""
    stored_hw, orientation = stored_size_hw(image)
    if orientation == 1 or stored_hw != size_hw:
        return ""
    return (
        f"; the mask fits the stored pixels, but the image has the EXIF orientation {orientation} and is read as it is "
        "shown: turn the mask in the same way, or save the image upright"
    )


def _class_index(classes: Sequence[str]) -> Callable[[str], int]:
    indices = {name: index for index, name in enumerate(classes)}
    return lambda name: indices.get(name, len(indices))


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _near(name: str, known: set[str]) -> str:
    hint = nearest(name, known)
    return hint if len(hint) < 200 else f"it has {len(known)} images, such as `{min(known)}`"
