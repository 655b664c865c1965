"""Faults that hit this process at one of its writes: signals, or a full disk."""

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FULL = "full disk"


@dataclass(frozen=True)
class Fault:
    """What happens, and when.

    Attributes:
        kind: Name of a signal, or `FULL`.
        write: Number of the write that it comes with, from 1. A write is a file opened for it, or a renaming, inside of
            the folder.
        delay: Seconds from the write to the signal, which then comes from another thread, at any point of the work. 0:
            at the write itself.
        group: Send the signal to all processes of the group, as a terminal does.
    """

    kind: str
    write: int
    delay: float = 0.0
    group: bool = False


class _FullFile:
    """A file on a disk that is full after the half of each write."""

    def __init__(self, file: Any):
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_FullFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, content: Any) -> int:
        self._file.write(content[: len(content) // 2])
        raise _full()


def _full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def inject(fault: Fault, folder: Path) -> None:
    """Let this process meet a fault at one of its writes inside of a folder. It is never undone."""
    seen = 0
    folder = folder.absolute()

    def hits(path: Path) -> bool:
        nonlocal seen
        seen += path.absolute().is_relative_to(folder)
        return seen == fault.write

    def send() -> None:
        time.sleep(fault.delay)
        number = signal.Signals[fault.kind]
        os.killpg(os.getpgid(0), number) if fault.group else os.kill(os.getpid(), number)

    def signalled(call: Callable, path: Path, *args: Any, **kwargs: Any) -> Any:
        if hits(path):
            threading.Thread(target=send, daemon=True).start() if fault.delay else send()
        return call(path, *args, **kwargs)

    def opened_full(path: Path, *args: Any, **kwargs: Any) -> Any:
        file = opened(path, *args, **kwargs)
        return _FullFile(file) if hits(path) else file

    def renamed_full(call: Callable, path: Path, *args: Any, **kwargs: Any) -> Any:
        if hits(path):
            raise _full()
        return call(path, *args, **kwargs)

    opened, replaced, renamed = Path.open, Path.replace, Path.rename

    def open_path(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode[0] == "r":
            return opened(self, mode, *args, **kwargs)
        if fault.kind == FULL:
            return opened_full(self, mode, *args, **kwargs)
        return signalled(opened, self, mode, *args, **kwargs)

    at = renamed_full if fault.kind == FULL else signalled
    Path.open = open_path
    Path.replace = lambda self, target: at(replaced, self, target)
    Path.rename = lambda self, target: at(renamed, self, target)
