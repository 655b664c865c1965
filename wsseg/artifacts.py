"""Every disk format of a run in one place: class maps, masks, manifests. NumPy only.

All writes are atomic (a temporary sibling, then a rename), so a file that exists is whole: that is
what makes a stage resumable after `kill -9`.
"""

import contextlib
import dataclasses
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
from wsseg.image_files import image_size_hw
from wsseg.palette import voc_palette

IGNORE = 255
"""The mask value of a pixel that is unsure, and is neither trained on nor scored."""


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that it either exists whole or not at all.

    Args:
        path: Where the file shall be.
        write: Called with a binary file object open for writing.

    Raises:
        InputError: The file cannot be written (disk full, no permission); the message names it.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another run "
            "folder; what was already computed is kept, and the same command resumes"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()  # there only if something failed


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    text = json.dumps(content, indent=2, sort_keys=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: The file is missing or is not JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected a JSON file") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); expected a JSON file"
        ) from error
    except ValueError as error:  # broken JSON, or bytes that are no text
        raise InputError(f"{path} is not valid JSON ({error}); delete it and run again") from error


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
        InputError: The file is missing, broken, or holds colours instead of ids.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L", "1"):
                raise InputError(
                    f"{path} holds {image.mode} pixels; a mask must be an indexed (palette) or 8-bit "
                    "grayscale PNG whose values are class ids"
                )
            return np.array(image, dtype=np.uint8)
    except FileNotFoundError:
        raise InputError(f"mask {path} does not exist") from None
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
        raise InputError(f"mask {path} cannot be read ({error}); expected an indexed PNG") from error


class RecordLike(Protocol):
    """What a file in a folder of artifacts belongs to: a record of `wsseg.datasets`."""

    id: str
    image: Path
    labels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClassMaps:
    """The class maps of one image, for the labels present only.

    Attributes:
        class_ids: `(C,) int`: the mask ids of the maps' classes, 1..K (0 is the background, which has
            no map); classifier output `k` is mask id `k + 1`.
        maps: `(C, h, w) float`: one map a class in [0, 1], at the stored size; they
            cover the image exactly.
        size_hw: Height and width of the image that the maps belong to.
    """

    class_ids: np.ndarray
    maps: np.ndarray
    size_hw: tuple[int, int]

    def save(self, path: Path) -> None:
        """Write as compressed `.npz` (float16, no pickle), atomically."""
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
        """Read the class maps of a record from a folder of `ID.npz`. An image without a label has no map.

        Raises:
            InputError: The file is missing or is not a class-map file; the message names it.
        """
        if record.labels:
            return cls.load(folder / f"{record.id}.npz")
        return cls(np.zeros(0, int), np.zeros((0, 1, 1), np.float32), image_size_hw(record.image))

    @classmethod
    def load(cls, path: Path) -> "ClassMaps":
        """Read a `.npz` made by `save`; the maps come back as float32.

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
        ) as error:  # BadZipFile, EOFError, zlib.error, KeyError ...: by where the file is broken
            raise InputError(
                f"class maps {path} cannot be read ({error}); delete the file and run again"
            ) from error


def unfinished(records: Iterable[RecordLike], folder: Path, suffix: str) -> list[Any]:
    """Return the records that have no file `ID` + suffix in a folder yet, in their order."""
    return [record for record in records if not (folder / f"{record.id}{suffix}").exists()]


def digest(content: Any) -> str:
    """Return a short stable hash of anything JSON can hold.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What made a stage's folder: a stage is complete if and only if this file is in it.

    Attributes:
        stage: The stage's name.
        definition: Everything that decides the outcome: options by section, the seed, fingerprints of
            the data and weights, and the definitions' hashes of the input stages.
        counts: What the stage made (images, set aside, epochs ...), for people and for the report.
        set_aside: Inputs left out, `id -> reason`.
        versions: Of Python and the libraries that matter.
        wall_seconds: Time that the process which completed the stage spent in it.
        resumed: Whether an earlier, stopped process had done a part of it.
        peak_memory_mb: Highest resident memory of the process, in MiB.
        warnings: What looks wrong in what the stage made; none in manifests from before there were any.
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

    @property
    def hash(self) -> str:
        """The definition's hash, by which later stages name this one as their input."""
        return digest(self.definition)

    def save(self, folder: Path) -> None:
        """Write `manifest.json` into `folder`."""
        write_json(folder / MANIFEST, dataclasses.asdict(self) | {"hash": self.hash})

    @classmethod
    def load(cls, folder: Path) -> "Manifest | None":
        """Read the manifest of `folder`, or None where the stage is not complete."""
        path = folder / MANIFEST
        if not path.exists():
            return None
        content = read_json(path)
        fields = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(content, dict) or not fields - {"warnings"} <= set(content):
            raise InputError(f"{path} is not a stage's manifest; delete its folder and run again")
        return cls(**{name: content[name] for name in fields & set(content)})


def image_files(folder: Path, suffix: str) -> Iterator[tuple[str, Path]]:
    """Yield `(image id, path)` of the artifacts in `folder`, in order of id."""
    for path in sorted(folder.glob(f"*{suffix}")):
        if not path.name.startswith("."):
            yield path.name.removesuffix(suffix), path
