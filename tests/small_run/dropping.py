"""The command, with work in which Python drops exceptions: it interrupts itself in a weak reference's callback."""

import signal
import sys
import time
import weakref
from argparse import ArgumentParser

from small_run.signals import as_in_a_terminal
from wsseg import cli
from wsseg.__main__ import main


class Thing:
    """Anything that can be referred to weakly."""


def work(number: int) -> None:
    """Hear a signal where the exception that it raises is dropped, and then work for a long time."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
    del thing
    assert reference() is None
    for _ in range(200):
        time.sleep(0.1)


def parser() -> ArgumentParser:
    """Return a parser whose only command is the work."""
    result = ArgumentParser()
    result.add_argument("number", type=int)
    result.set_defaults(function=lambda arguments, overrides: work(arguments.number))
    return result


if __name__ == "__main__":
    as_in_a_terminal()
    cli.build_parser = parser
    sys.exit(main())
