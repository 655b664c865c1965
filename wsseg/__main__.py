"""Run the command: `wsseg`, or `python -m wsseg`. Signals are answered from here on, also during the imports."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from wsseg.stopping import Stopped, said

SOON = 0.02
"""Seconds after which a signal is sent again that came where Python drops exceptions."""


def main() -> int:
    """Run the command line.

    Returns:
        Exit status: that of `wsseg.cli.main`; or 128 + the number of the signal that stopped it: 130 after Ctrl-C, 143
        after SIGTERM, 129 after SIGHUP.
    """
    heard = [signal.SIGINT]
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` lets SIGHUP be ignored
            signal.signal(number, _stop)
            heard.append(number)
    sys.unraisablehook = _again
    try:
        from wsseg.cli import main as run

        status = run()
    except KeyboardInterrupt as stop:  # during the imports
        status = said(stop, sys.argv[1:])
    for number in heard:  # all is done: a signal ends the process without a word, and without a traceback
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    return status


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


def _again(dropped: Any) -> None:
    """Send a signal again whose exception Python has dropped, as it does in `__del__` and in callbacks of weakref."""
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    number = getattr(dropped.exc_value, "number", signal.SIGINT)
    timer = threading.Timer(SOON, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
