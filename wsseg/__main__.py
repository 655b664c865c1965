"""Run the command: `wsseg`, or `python -m wsseg`. Signals are answered from here on, also during the imports."""

import signal
import sys
from types import FrameType

from wsseg.stopping import Stopped, said


def main() -> int:
    """Run the command line.

    Returns:
        Exit status: that of `wsseg.cli.main`; or 128 + the number of the signal that stopped it: 130 after Ctrl-C, 143
        after SIGTERM, 129 after SIGHUP.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` lets SIGHUP be ignored
            signal.signal(number, _stop)
    try:
        from wsseg.cli import main as run

        return run()
    except KeyboardInterrupt as stop:  # during the imports
        return said(stop, sys.argv[1:])


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


if __name__ == "__main__":
    sys.exit(main())
