"""Signals as a terminal gives them: whoever starts tests in the background lets Ctrl-C and a closed terminal be ignored."""

import signal


def as_in_a_terminal() -> None:
    """Let this process hear SIGINT, SIGTERM and SIGHUP, whatever it has inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
