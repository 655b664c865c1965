"""Progress of long work: a bar on a terminal, or regular lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_SECONDS = 30.0
"""Seconds between two lines of a log."""


@contextmanager
def bar(text: str, total: int, unit: str = "images", done: int = 0) -> Iterator[Callable[..., None]]:
    """Show progress with the rate and the time left.

    Args:
        text: Description of the work.
        total: Number of units of work.
        unit: Name of a unit, in the plural.
        done: Number of units that an earlier, interrupted run has done.

    Yields:
        `advance(note="", count=1)`: Function to call after each unit, or after `count` units.
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
