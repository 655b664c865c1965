"""Worker processes: however the work ends, none lives on, and what is said fits in a line."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wsseg.processes import in_processes

TESTS = Path(__file__).parent
SECONDS = 60


def wait_for(happened):
    until = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < until, f"not within {SECONDS} s"
        time.sleep(0.02)


def lives(number):
    """Whether a process lives; one that ended and is not yet collected does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True)
    return found.stdout.strip()[:1] not in ("", "Z")


@pytest.fixture
def work(tmp_path):
    """Start work with two workers, in a group of its own, and wait for both."""
    process = subprocess.Popen(
        [sys.executable, "-m", "small_run.sleeping", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS)))},
    )
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2 or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    yield process, workers
    process.kill()
    process.communicate()
    assert not any(map(lives, workers))


def ended(process, workers):
    """Wait for the end of a process and of its workers, and return what it wrote to standard error."""
    _, errors = process.communicate(timeout=SECONDS)
    wait_for(lambda: not any(map(lives, workers)))
    return errors


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_in_order(work, tmp_path, number, group):
    process, workers = work
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    errors = ended(process, workers)
    assert process.returncode == 128 + number
    assert errors.strip() == f"wsseg: stopped; nothing is lost, resume with: wsseg {tmp_path}"


@pytest.mark.parametrize("group", [False, True])
def test_killed_it_leaves_no_worker(work, group):
    process, workers = work
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    ended(process, workers)
    assert process.returncode == -signal.SIGKILL


def test_a_killed_worker_ends_it_in_one_line(work):
    process, workers = work
    os.kill(workers[0], signal.SIGKILL)
    errors = ended(process, workers)
    assert process.returncode == 2
    assert re.fullmatch(
        r"wsseg: sleeping: a worker process ended before its work was done, most likely because the memory was full; "
        r"what was made is kept, and the same command goes on; use fewer workers \(option `workers`, now 2\), or "
        r"smaller images\n",
        errors,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_python_drops_is_not_lost(number):
    done = subprocess.run(
        [sys.executable, "-m", "small_run.dropping", str(int(number))],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS)))},
        timeout=SECONDS,
    )
    assert done.returncode == 128 + number
    assert done.stderr.strip() == f"wsseg: stopped; nothing is lost, resume with: wsseg {int(number)}"


def test_results_come_in_order_from_processes_and_from_this_one():
    jobs = [(pow, base, 2) for base in range(20)]
    for workers in (1, 2):
        assert in_processes(iter(jobs), "squares", 20, 0, workers) == [base**2 for base in range(20)]
