"""Signals as a terminal gives them: tests that were started in the background inherit that some are ignored."""

import signal


def as_in_a_terminal() -> None:
    """Let this process hear SIGINT, SIGTERM and SIGHUP, whatever it has inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
