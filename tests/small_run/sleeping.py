"""The command, with work that takes long and computes nothing: `python -m small_run.sleeping FOLDER`."""

import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

from small_run.signals import as_in_a_terminal
from wsseg import cli
from wsseg.__main__ import main
from wsseg.processes import in_processes

JOBS = 400


def job(folder: str) -> None:
    """Write the worker's process number as a file's name, and sleep."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(0.2)


def parser() -> ArgumentParser:
    """Return a parser whose only command is the work."""
    result = ArgumentParser()
    result.add_argument("folder")
    result.set_defaults(
        function=lambda arguments, overrides: in_processes(
            [(job, arguments.folder)] * JOBS, "sleeping", JOBS, 0, 2
        )
    )
    return result


if __name__ == "__main__":
    as_in_a_terminal()
    cli.build_parser = parser
    sys.exit(main())
