"""Progress of long work: a bar on a terminal, or regular lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_SECONDS = 30.0
"""Seconds between two lines of a log."""

RunLeft = Callable[[float, str, float], float | None]
"""Seconds that a bar expects to take still, its unit, and the share of its work that this process does -> seconds that
the whole run will still take; None if that is not known."""

_run_left: list[RunLeft] = []


@contextmanager
def part_of_run(left: RunLeft) -> Iterator[None]:
    """Let the bars in the context also show the time left of a whole run.

    Args:
        left: Function that estimates it, such as `wsseg.engine.time_left.TimeLeft`.
    """
    _run_left.append(left)
    try:
        yield
    finally:
        _run_left.pop()


@contextmanager
def bar(text: str, total: int, unit: str = "images", done: int = 0) -> Iterator[Callable[..., None]]:
    """Show progress with the rate and the time left.

    Both go by the time since the first call of `advance`: the first unit also waits for what is traced or compiled.

    Args:
        text: Description of the work.
        total: Number of units of work.
        unit: Name of a unit, in the plural.
        done: Number of units that an earlier, interrupted run has done.

    Yields:
        `advance(note="", count=1)`: Function to call after each unit, or after `count` units.
    """
    finished, last = done, time.monotonic()
    first: tuple[int, float] | None = None

    def state() -> str:
        nonlocal first
        if first is None:
            first = finished, time.monotonic()
            return ""
        units, seconds = finished - first[0], time.monotonic() - first[1]
        if not units:
            return ""
        left = (total - finished) * seconds / units
        run = _run_left[-1](left, unit, 1 - done / total) if _run_left else None
        words = f"{speed(units, seconds, unit)}, about {in_words(left)} left"
        return f", {words}" if run is None else f", {words} (run: about {in_words(run)})"

    if not sys.stderr.isatty():

        def advance(note: str = "", count: int = 1) -> None:
            nonlocal finished, last
            finished += count
            words, now = state(), time.monotonic()
            if now - last >= LINE_SECONDS:
                last = now
                message = f"  {text} {finished}/{total} {unit}{words} {note}"
                print(message.rstrip(), file=sys.stderr, flush=True)

        yield advance
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]} {task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(text, total=total, completed=done, note="", state="")

        def advance(note: str = "", count: int = 1) -> None:
            nonlocal finished
            finished += count
            display.update(task, advance=count, note=note, state=state().removeprefix(", "))

        yield advance


def note(text: str) -> None:
    """Print a line about something that was found on the way, such as a damaged file that is made again."""
    print(f"  note: {text}", file=sys.stderr, flush=True)


def speed(units: int, seconds: float, unit: str) -> str:
    """Format a rate: units per second, or seconds per unit where one takes longer than a second.

    Example:
        >>> speed(30, 10, "images"), speed(10, 13, "steps"), speed(1, 90, "batches")
        ('3.0 images/s', '1.3 s/step', '90.0 s/batch')
    """
    if units >= seconds:
        return f"{units / max(seconds, 1e-9):.1f} {unit}/s"
    one = unit.removesuffix("es") if unit.endswith(("ches", "sses")) else unit.removesuffix("s")
    return f"{seconds / units:.1f} s/{one}"


def in_words(seconds: float) -> str:
    """Format a duration as seconds, minutes, or hours and minutes, rounded.

    Example:
        >>> [in_words(seconds) for seconds in (0.4, 59.4, 59.6, 720, 3599, 7384)]
        ['0 s', '59 s', '1 min', '12 min', '1 h 0 min', '2 h 3 min']
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
