"""Where the mask of an image lies: a path with the image's folder, class and name in it."""

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from wsseg.errors import InputError

_PARTS = ("folder", "class", "name")


@dataclass(frozen=True)
class MaskPattern:
    """The path of a mask, relative to the dataset's folder.

    Attributes:
        text: Path with `{name}` (the image's file name without extension) in its last part, and anywhere before it
            `{folder}` (the image's folder, relative to the dataset's) and `{class}` (the class folder's name).

    Raises:
        InputError: The path lacks `{name}`, names another part, or has no extension.

    Example:
        >>> image = PurePosixPath("test/crack/000.jpg")
        >>> for text in ("{folder}/{name}_mask.png", "{folder}/../GT/{name}.png", "ground_truth/{class}/{name}.png"):
        ...     print(MaskPattern(text).mask_of(image, "crack"))
        test/crack/000_mask.png
        test/GT/000.png
        ground_truth/crack/000.png
    """

    text: str

    def __post_init__(self):
        """Check the path."""
        named = re.findall(r"\{(.*?)\}", self.text) if isinstance(self.text, str) else []
        last = self.text.rpartition("/")[2] if named else ""
        if not set(named) <= set(_PARTS) or last.count("{name}") != 1 or not PurePosixPath(last).suffix:
            raise InputError(
                "`masks` must be none or a path with {name} in its last part and an extension, and {folder} or "
                f"{{class}} before it, such as '{{folder}}/{{name}}.png'; got {self.text!r}"
            )

    def mask_of(self, image: PurePosixPath, folder: str) -> PurePosixPath:
        """Return the path of an image's mask.

        Args:
            image: Path of the image, relative to the dataset's folder.
            folder: Name of its class folder.
        """
        values = {"folder": image.parent.as_posix(), "class": folder, "name": image.stem}
        path = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], self.text)
        return PurePosixPath(posixpath.normpath(path))

    def can_be(self, path: PurePosixPath) -> bool:
        """Tell whether a file can be a mask of some image, so that it is no photograph, whether that exists or not.

        Example:
            >>> beside = MaskPattern("{folder}/{name}_mask.png")
            >>> [beside.can_be(PurePosixPath(path)) for path in ("a/1_mask.png", "a/1.png", "a/1_mask.jpg")]
            [True, False, False]
        """
        above, _, last = self.text.rpartition("/")
        fixed = {part for part in above.split("/") if part not in ("", ".", "..") and "{" not in part}
        if fixed:
            return bool(fixed & set(path.parts[:-1]))
        before, after = (re.escape(part) for part in last.split("{name}"))
        return re.fullmatch(f"{before}.+{after}", path.name) is not None
