"""Progress on everything long: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_SECONDS = 30.0
"""Where there is no terminal: seconds between two lines."""


@contextmanager
def bar(text: str, total: int, unit: str = "images", done: int = 0) -> Iterator[Callable[..., None]]:
    """Show progress with the rate and the time left.

    Args:
        text: What is being done.
        total: How many there are.
        unit: Of what.
        done: How many an earlier, interrupted run has done already.

    Yields:
        `advance(note="", count=1)`: call it when one more is done.
    """
    start, finished, last = time.monotonic(), done, time.monotonic()
    if not sys.stderr.isatty():

        def advance(note: str = "", count: int = 1) -> None:
            nonlocal finished, last
            finished += count
            now = time.monotonic()
            if now - last >= LINE_SECONDS:
                last = now
                rate = (finished - done) / (now - start)
                left = (total - finished) / rate if rate else 0.0
                message = f"  {text} {finished}/{total} {unit}, {rate:.1f}/s, {left:.0f} s left {note}"
                print(message.rstrip(), file=sys.stderr, flush=True)

        yield advance
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} {task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(text, total=total, completed=done, note="", rate="")

        def advance(note: str = "", count: int = 1) -> None:
            nonlocal finished
            finished += count
            rate = (finished - done) / max(time.monotonic() - start, 1e-9)
            display.update(task, advance=count, note=note, rate=f"{rate:.1f} {unit}/s")

        yield advance
