"""What a worker process does beside its work: it ends with the process that started it, and leaves signals to it."""

import os
import signal
import threading
import time

EVERY = 0.5
"""Seconds between two looks for the parent."""


def begin(parent: int) -> None:
    """Prepare this process as a worker.

    Ctrl-C and the end of a batch job are sent to all processes of a group. The parent hears them too, and ends its
    workers in order; so a worker ignores them. If the parent is killed, this process ends within half a second.

    Args:
        parent: Number of the process that started this one.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), name="end with the parent", daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    os._exit(1)  # in the middle of its work: nobody waits for it, and files are written atomically
