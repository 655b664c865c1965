"""The command with the backbone `tiny`, killed at a chosen moment: `python -m small_run.command run ...`.

`KILL_AT="4_label.partial/masks/*.png:3"` kills the process, as `kill -9` does, when the third file of that
name is written but not yet in its place.
"""

import fnmatch
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from small_run import network
from wsseg.cli import main


def kill_at(pattern: str, count: int) -> None:
    """Kill this process when the `count`-th path that ends like `pattern` is about to be put in its place."""
    seen = 0

    def counted(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def moved(self: Path, target: Path) -> Path:
            nonlocal seen
            if fnmatch.fnmatch(str(target), f"*/{pattern}"):
                seen += 1
                if seen == count:
                    os.kill(os.getpid(), signal.SIGKILL)
            return move(self, target)

        return moved

    Path.replace, Path.rename = counted(Path.replace), counted(Path.rename)


if __name__ == "__main__":
    network.register()
    if "KILL_AT" in os.environ:
        pattern, _, count = os.environ["KILL_AT"].rpartition(":")
        kill_at(pattern, int(count))
    sys.exit(main())
