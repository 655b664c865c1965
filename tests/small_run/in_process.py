"""The command in this process."""

import contextlib
import io

from wsseg.cli import main


def run_quietly(*words: object) -> tuple[int, str]:
    """Run the command in this process; return its exit status and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = main([str(word) for word in words])
    return status, printed.getvalue()
