"""Progress without a terminal: lines now and then; with one: a bar."""

import io
import sys

import pytest

from wsseg import progress


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that is set by hand."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_line_every_half_minute_with_rate_and_time_left(capsys, clock):
    with progress.bar("class maps", 100) as advance:
        for _ in range(20):
            clock.now += 3
            advance("note")
    lines = capsys.readouterr().err.splitlines()
    # 10 images in 30 s, 20 in 60 s: a third of an image a second.
    assert lines == [
        "  class maps 10/100 images, 3.0 s/image, about 4 min left note",
        "  class maps 20/100 images, 3.0 s/image, about 4 min left note",
    ]


def test_what_was_done_before_does_not_count_as_speed(capsys, clock):
    with progress.bar("training", 100, "steps", done=50) as advance:
        advance(count=5)
        clock.now += 40
        advance(count=20)
    assert capsys.readouterr().err.splitlines() == ["  training 75/100 steps, 2.0 s/step, about 50 s left"]


def test_the_time_left_of_the_run_stands_beside_the_bars_own(capsys, clock):
    asked = []

    def run_left(*values):
        asked.append(values)
        return 7500.0

    with progress.part_of_run(run_left), progress.bar("training", 100, "steps", done=50) as advance:
        advance()
        clock.now += 40
        advance(count=20)
    with progress.part_of_run(lambda *values: None), progress.bar("training", 100, "steps") as advance:
        advance(count=10)
        clock.now += 40
        advance(count=80)
    with progress.bar("training", 100, "steps") as advance:
        advance(count=10)
        clock.now += 40
        advance(count=80)
    assert asked == [(58.0, "steps", 0.5)]
    assert capsys.readouterr().err.splitlines() == [
        "  training 71/100 steps, 2.0 s/step, about 58 s left (run: about 2 h 5 min)",
        *["  training 90/100 steps, 2.0 steps/s, about 5 s left"] * 2,
    ]


def test_what_the_first_unit_waits_for_is_no_measure_of_speed(capsys, clock):
    """A worker that compiles for 200 s before it makes one of 96 masks a second said that 5 hours were left."""
    with progress.bar("pseudo-masks", 96) as advance:
        clock.now += 200
        advance()
        clock.now += 31
        advance(count=31)
    assert capsys.readouterr().err.splitlines() == [
        "  pseudo-masks 1/96 images",
        "  pseudo-masks 32/96 images, 1.0 images/s, about 1 min left",
    ]


def test_quick_work_is_silent(capsys):
    with progress.bar("quick", 3) as advance:
        for _ in range(3):
            advance()
    assert capsys.readouterr().err == ""


def test_error_passes(capsys):
    with pytest.raises(KeyError), progress.bar("work", 3):
        raise KeyError


def test_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bar("class maps", 4, done=1) as advance:
        for _ in range(3):
            advance("note")
    assert "class maps" in terminal.getvalue() and "4/4" in terminal.getvalue()
    assert "images/s, about 0 s left" in terminal.getvalue()
