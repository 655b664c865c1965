"""Free memory, and how much work at a time fits into it. Only the standard library."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

SHARE = 0.5
"""Share of the free memory that is given out; the rest is for what other processes begin meanwhile."""

PROCESS = 200 * 2**20
"""Memory of a worker process before its first image, bytes: Python, NumPy, numba's compiled code."""


def free_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that new work can take, bytes; None where the system does not say.

    On Linux it is MemAvailable, or what the process's control group (a container, a batch job) leaves below its limit
    if that is less; see proc(5), and the kernel's cgroup-v2 and memory (v1) documents. Files that the kernel keeps in
    memory and can drop count as free. Elsewhere it is half of the machine's memory.

    Args:
        root: Folder in which `proc` and `sys` are looked for.
    """
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = (root / "proc/meminfo").read_text().splitlines()
        kilobytes = int(dict(line.split(":", 1) for line in lines)["MemAvailable"].split()[0])
        return max(0, min([kilobytes * 1024, *_left_of_groups(root)]))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _left_of_groups(root: Path) -> Iterator[int]:
    """Yield what each control group that this process is in leaves of its memory, from the inner one outwards."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                top = root / "sys/fs/cgroup/memory"
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            inner = top / path.strip("/")
            for folder in (inner, *inner.parents):
                if not folder.is_relative_to(top):
                    break
                with contextlib.suppress(OSError, ValueError, KeyError):  # no limit: "max", or no such file
                    limit, used = (int((folder / name).read_text()) for name in names[:2])
                    statistics = dict(
                        line.split() for line in (folder / "memory.stat").read_text().splitlines()
                    )
                    yield limit - used + int(statistics[names[2]])


def workers_that_fit(
    workers: int, needed: int, free: Callable[[], int | None] = free_bytes, cores: int | None = None
) -> int:
    """Return the number of worker processes for which the memory is enough, at least 1.

    Args:
        workers: Number that is wished; -1 for one per core, as in joblib.
        needed: Memory that one takes beside `PROCESS`, bytes.
        free: Tells the free memory.
        cores: Number of cores; None for this machine's.

    Example:
        >>> workers_that_fit(8, 800 * 2**20, free=lambda: 4 * 2**30)
        2
        >>> workers_that_fit(8, 10 * 2**20, free=lambda: 4 * 2**30)
        8
    """
    if workers < 0:
        workers = max(1, (cores or os.cpu_count() or 1) + 1 + workers)
    memory = free()
    return workers if memory is None else max(1, min(workers, int(memory * SHARE) // (PROCESS + needed)))


class Budget:
    """Memory that threads share: a thread waits until its part is free, and never for ever.

    A part that is larger than everything is given when nobody has any.

    Args:
        free: Tells the free memory, asked whenever nobody has any of it.
    """

    def __init__(self, free: Callable[[], int | None] = free_bytes):
        self._free = free
        self._changed = threading.Condition()
        self._taken = self._whole = 0

    @contextlib.contextmanager
    def part(self, size: int) -> Iterator[None]:
        """Hold a number of bytes for the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._whole)
            if not self._taken:
                free = self._free()
                self._whole = size if free is None else int(free * SHARE)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()
