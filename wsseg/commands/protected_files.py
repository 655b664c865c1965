"""Files that a command reads, and that it must not write over."""

from collections.abc import Iterable
from pathlib import Path

from wsseg.errors import InputError


class ProtectedFiles:
    """The inputs of a command.

    A file is known by its device and number, so links to it, other spellings of its path, and names in another letter
    case where the file system takes them for the same are recognised.

    Args:
        paths: Files, and folders, whose own files are protected too; None and missing ones are left out.
        out: What the user gave with `--out`, for the message.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     photo = Path(folder) / "photo.jpg"
        ...     photo.touch()
        ...     ProtectedFiles([photo], Path(folder)).check(photo)
        Traceback (most recent call last):
        wsseg.errors.InputError: --out ...photo.jpg is an input of the command and would be overwritten; ...
    """

    def __init__(self, paths: Iterable[Path | str | None], out: Path):
        self.out = out
        self._known: set[tuple[int, int]] = set()
        for given in paths:
            path = None if given is None else Path(given).expanduser()
            if path is None or not path.exists():
                continue
            for file in [path, *(path.iterdir() if path.is_dir() else ())]:
                self._add(file)

    def _add(self, file: Path) -> None:
        try:
            for status in (file.stat(), file.lstat()):
                self._known.add((status.st_dev, status.st_ino))
        except OSError:  # a link that leads nowhere
            return

    def check(self, *targets: Path) -> None:
        """Fail if a file that is to be written is an input.

        Raises:
            InputError: The message names the file and another folder.
        """
        for target in targets:
            try:
                found = [target.stat(), target.lstat()]
            except OSError:  # not there yet
                continue
            if any((status.st_dev, status.st_ino) in self._known for status in found):
                folder = (self.out if self.out.is_dir() else self.out.parent) / "made"
                raise InputError(
                    f"--out {self.out}: {target} is an input of the command and would be overwritten; choose another "
                    f"place, such as {folder}"
                )
