"""The end of a process that is asked to stop: by Ctrl-C, by a batch system, by a closed terminal."""

import contextlib
import shlex
import signal
import sys
from collections.abc import Sequence


class Stopped(KeyboardInterrupt):
    """A signal asks the process to end; it ends as after Ctrl-C.

    Attributes:
        number: Number of the signal.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def said(stop: KeyboardInterrupt, words: Sequence[str]) -> int:
    """Print that the process stops, and how to go on.

    Args:
        stop: What asked for it.
        words: Arguments of the command.

    Returns:
        Exit status: 128 + the number of the signal; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    with contextlib.suppress(OSError):  # the terminal may be gone
        text = f"wsseg: stopped; nothing is lost, resume with: wsseg {shlex.join(words)}"
        print(f"\n{text}", file=sys.stderr, flush=True)
    return 128 + getattr(stop, "number", signal.SIGINT)
