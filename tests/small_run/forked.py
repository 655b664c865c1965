"""Many commands from one import: a server that has imported TensorFlow, and forks for each command.

The server itself computes nothing, so a child finds TensorFlow as after an import of its own.
"""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from small_run.faults import Fault

TESTS = Path(__file__).parents[1]
GONE_WITHIN = 15.0
"""Seconds within which all processes of a command must have ended after it."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Exit status; -N: a signal N killed it.
        output: What it wrote to standard output and standard error.
        orphans: Whether processes of its group lived on.
    """

    status: int
    output: str
    orphans: bool


class Server:
    """Runs commands, each in a process and a group of its own."""

    def __init__(self, log: Path):
        self._log = log
        paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "small_run.forked", str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
        )

    def __call__(self, *words: object, fault: Fault | None = None, folder: Path | None = None) -> Ended:
        """Run a command to its end, with a fault at one of its writes to a folder."""
        order = {
            "words": [str(word) for word in words],
            "fault": fault and dataclasses.asdict(fault),
            "folder": str(folder),
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        orphans = not _gone(answer["group"])
        return Ended(answer["status"], self._log.read_text(errors="replace"), orphans)

    def close(self) -> None:
        """End the server."""
        self._process.stdin.close()
        self._process.wait(60)


def _gone(group: int) -> bool:
    until = time.monotonic() + GONE_WITHIN
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        if not any(state not in "ZX" for state in _states(group)):
            return True  # ended; nobody has collected it yet
        time.sleep(0.05)
    return False


def _states(group: int) -> list[str]:
    found = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [row[1][0] for row in rows if row[0] == str(group)]


def _child(order: dict[str, Any], log: str) -> None:
    from small_run.faults import inject
    from small_run.signals import as_in_a_terminal
    from wsseg.__main__ import main

    os.setsid()
    as_in_a_terminal()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["wsseg", *order["words"]]
    if order["fault"]:
        inject(Fault(**order["fault"]), Path(order["folder"]))
    sys.exit(main())


def serve(log: str) -> None:
    """Fork for each order that comes on standard input, and answer how the child ended."""
    from wsseg.quiet_start import hide_start_up_lines

    hide_start_up_lines()
    from small_run import network
    from wsseg.commands import run  # noqa: F401
    from wsseg.stages import STAGES

    network.register()
    for stage in STAGES.values():
        importlib.import_module(stage.work.split(":")[0])
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _child(json.loads(line), log)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "group": child}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
