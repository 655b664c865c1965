"""Disk formats that all stages share: JSON, masks, class maps and manifests. NumPy and Pillow only.

All writes are atomic (a temporary file beside the target, then a rename), so a file that exists is complete.
Therefore a stage can resume after `kill -9`. Objects have their own formats, in `wsseg.objects`.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from PIL import Image

from wsseg.errors import InputError
from wsseg.file_names import MANIFEST
from wsseg.image_files import check_format, image_size_hw
from wsseg.palette import voc_palette

IGNORE = 255
"""Mask value of an unsure pixel. Such a pixel is neither trained on nor scored."""


def write_atomically(path: Path, write: Callable[[BinaryIO], Any], durable: bool = False) -> None:
    """Write a file atomically: it either exists completely or not at all.

    Args:
        path: Path of the file.
        write: Function that receives a binary file object, open for writing.
        durable: Whether the content is on the disk before the file has its name, so that a power failure cannot leave
            an empty file of this name. Masks and maps are brought to the disk together, when their stage is done.

    Raises:
        InputError: The file cannot be written (disk full, no permission); the message names it.
    """
    path = Path(path)
    # A name may have 255 bytes, which the longest names of images leave for the file itself alone.
    name = (
        path.name if len(os.fsencode(path.name)) < 200 else hashlib.sha256(os.fsencode(path.name)).hexdigest()
    )
    partial = path.with_name(f".{name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; {way_out(error)}; what was already computed is kept, and "
            "the same command resumes"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()  # it exists only if something failed


def way_out(error: OSError) -> str:
    """Return what to do about a failed operation on a file of a run.

    Example:
        >>> way_out(OSError(errno.ENOSPC, "No space left on device"))
        'free some space, or choose another run folder'
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space, or choose another run folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make it writable, or choose another run folder"
    if error.errno == errno.EMFILE:
        return "raise the limit of open files (`ulimit -n`)"
    if error.errno == errno.ENAMETOOLONG:
        return "give the image a shorter name"
    return "see whether the disk works, or choose another run folder"


def to_disk(path: Path) -> None:
    """Bring the content of a file, or the names in a folder, to the disk. Where that cannot be done, it is not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically and durably."""
    text = json.dumps(content, indent=2, sort_keys=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()), durable=True)


def read_json(path: Path, kind: type | None = None, keys: Iterable[str] = ()) -> Any:
    """Read a JSON file that wsseg has written.

    Args:
        path: The file.
        kind: `dict` or `list`, whichever it holds; None for any.
        keys: Keys that a dict must have.

    Raises:
        InputError: The file is missing, is not JSON, or holds something else; the message names it.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected a JSON file") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); expected a JSON file"
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # broken JSON, brackets without end, or bytes that are not text
        raise InputError(f"{path} is not valid JSON ({error}); delete it and run again") from error
    if kind is not None and not isinstance(content, kind):
        named = {dict: "an object {...}", list: "a list [...]"}[kind]
        raise InputError(f"{path} must hold {named}; it is damaged: delete it and run again")
    if lost := [key for key in keys if key not in content]:
        raise InputError(f"{path} has no `{lost[0]}`; it is damaged: delete it and run again")
    return content


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a mask as an indexed PNG in the VOC palette.

    Args:
        path: The PNG to write.
        mask: `(H, W) uint8`: 0 = background, 1..K = classes, 255 = unsure.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise InputError(f"`mask` must be (H, W) uint8; got {mask.shape} {mask.dtype}")
    image = Image.fromarray(np.ascontiguousarray(mask))
    image.putpalette(voc_palette().astype(np.uint8).tobytes())
    write_atomically(path, lambda file: image.save(file, format="PNG"))


def read_mask(path: Path) -> np.ndarray:
    """Read an indexed or grayscale PNG as class ids.

    Args:
        path: A PNG whose pixel values (palette indices or gray levels) are class ids.

    Returns:
        `(H, W) uint8`: 0 = background, 1..K = classes, 255 = unsure.

    Raises:
        InputError: The file is missing or broken, or it holds colours instead of ids.
    """
    with opened_mask(path) as image:
        if image.mode not in ("P", "L", "1"):
            raise InputError(
                f"{path} holds {image.mode} pixels; a mask must be an indexed (palette) or 8-bit "
                "grayscale PNG whose values are class ids"
            )
        return np.array(image, dtype=np.uint8)


@contextlib.contextmanager
def opened_mask(path: Path) -> Iterator[Image.Image]:
    """Open a mask file; errors of opening and of decoding it inside the block become `InputError`.

    Raises:
        InputError: The file is missing or broken; the message names it.
    """
    try:
        with Image.open(path) as image:
            check_format(image, path)
            yield image
    except FileNotFoundError:
        raise InputError(f"mask {path} does not exist") from None
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise InputError(f"mask {path} cannot be read ({error}); expected an indexed PNG") from error


class RecordLike(Protocol):
    """The image that a file in a folder of artifacts belongs to, such as a record of `wsseg.datasets`."""

    id: str
    image: Path
    labels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClassMaps:
    """The class maps of one image, for the labels present only.

    Attributes:
        class_ids: `(C,) int`: Mask ids of the maps' classes, 1..K. The background, 0, has no map. Classifier
            output `k` has mask id `k + 1`.
        maps: `(C, h, w) float` in [0, 1]: One map per class, at the stored size. The maps cover the image
            exactly.
        size_hw: Height and width of the image that the maps belong to, pixels.
    """

    class_ids: np.ndarray
    maps: np.ndarray
    size_hw: tuple[int, int]

    def save(self, path: Path) -> None:
        """Write the maps atomically, as compressed `.npz` (float16, no pickle)."""
        write_atomically(
            path,
            lambda file: np.savez_compressed(
                file,
                class_ids=np.asarray(self.class_ids, np.int32),
                maps=np.asarray(self.maps, np.float16),
                size_hw=np.asarray(self.size_hw, np.int32),
            ),
        )

    @classmethod
    def of(cls, folder: Path, record: RecordLike) -> "ClassMaps":
        """Read the class maps of a record from a folder of `ID.npz` files. An image without labels has no maps.

        Raises:
            InputError: The file is missing or is not a class-map file; the message names it.
        """
        if record.labels:
            return cls.load(folder / f"{record.id}.npz")
        return cls(np.zeros(0, int), np.zeros((0, 1, 1), np.float32), image_size_hw(record.image))

    @classmethod
    def load(cls, path: Path) -> "ClassMaps":
        """Read a `.npz` file written by `save`. The maps are returned as float32.

        Raises:
            InputError: The file is missing or is not a class-map file; the message names it.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as data:
                height, width = data["size_hw"].tolist()
                return cls(data["class_ids"], data["maps"].astype(np.float32), (height, width))
        except FileNotFoundError:
            raise InputError(f"class maps {path} do not exist; run the localize stage first") from None
        except (
            Exception
        ) as error:  # BadZipFile, EOFError, zlib.error, KeyError ...: it depends on where the file is broken
            raise InputError(
                f"class maps {path} cannot be read ({error}); delete the file and run again"
            ) from error


def unfinished(records: Iterable[RecordLike], folder: Path, suffix: str) -> list[Any]:
    """Return the records whose file `ID` + suffix is not in a folder yet, in their order.

    An empty file, as a power failure leaves one, does not count.
    """

    def size(record: RecordLike) -> int:
        try:
            return (folder / f"{record.id}{suffix}").stat().st_size
        except OSError:
            return 0

    return [record for record in records if not size(record)]


def digest(content: Any) -> str:
    """Return a short, stable hash of any content that JSON can hold.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Record of how a stage's folder was made. A stage is complete if and only if its folder holds this file.

    Attributes:
        stage: Name of the stage.
        definition: Everything that decides the outcome: options by section, random seed, fingerprints of the data
            and weights, and hashes of the input stages' definitions.
        counts: Numbers of what the stage made (images, images set aside, epochs ...), for people and for the report.
        set_aside: Inputs that the stage did not use, `id -> reason`.
        versions: Versions of Python and of the libraries that matter.
        wall_seconds: Seconds that the last process, which completed the stage, spent in it.
        resumed: Whether an earlier process, which was stopped, had done a part of the stage.
        peak_memory_mb: Highest resident memory of the process, MiB.
        warnings: Signs that the result is wrong, one line each; empty in manifests of earlier versions.
        inputs_made: Input stage -> digest of the files that the stage read there. Empty if it is not known, as in
            runs from before these digests.
        data_revision: Revision of the data's contents at which the stage was begun; None if it is not known, as in
            runs from before the revisions.
    """

    stage: str
    definition: dict[str, Any]
    counts: dict[str, Any]
    set_aside: dict[str, str]
    versions: dict[str, str]
    wall_seconds: float
    resumed: bool
    peak_memory_mb: float
    warnings: list[str] = dataclasses.field(default_factory=list)
    inputs_made: dict[str, str] = dataclasses.field(default_factory=dict)
    data_revision: int | None = None

    @property
    def hash(self) -> str:
        """Hash of the definition. Later stages use it to identify this stage as their input."""
        return digest(self.definition)

    def save(self, folder: Path) -> None:
        """Write `manifest.json` into `folder`."""
        write_json(folder / MANIFEST, dataclasses.asdict(self) | {"hash": self.hash})

    @classmethod
    def load(cls, folder: Path) -> "Manifest | None":
        """Read the manifest in `folder`; return None if there is none, as the stage is not complete."""
        path = folder / MANIFEST
        if not path.exists():
            return None
        content = read_json(path)
        fields = {field.name for field in dataclasses.fields(cls)}
        later = {"warnings", "inputs_made", "data_revision"}
        if not isinstance(content, dict) or not fields - later <= set(content):
            raise InputError(f"{path} is not a stage's manifest; delete its folder and run again")
        return cls(**{name: content[name] for name in fields & set(content)})


def image_files(folder: Path, suffix: str) -> Iterator[tuple[str, Path]]:
    """Yield `(image id, path)` of each artifact in `folder`, sorted by id."""
    for path in sorted(folder.glob(f"*{suffix}")):
        if not path.name.startswith("."):
            yield path.name.removesuffix(suffix), path
