"""Per-image work in worker processes.

A worker imports the module of the function that it runs. Such a module must import neither TensorFlow nor Keras:
importing them takes longer than the work, and loky mistakes their memory for a leak and stops the worker.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import get_active_backend

from wsseg import worker_process
from wsseg.errors import InputError
from wsseg.progress import bar

HEARD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""Signals that only this process hears, and no worker."""


def in_processes(
    jobs: Iterable[tuple[Callable, ...]], text: str, total: int, done: int, workers: int
) -> list[Any]:
    """Run `(function, *arguments)` jobs in worker processes, show progress, and return the results in order.

    joblib decides where the jobs run: by default in processes of this machine, or on the cluster that a surrounding
    `joblib.parallel_config` names. A process of this machine ends when this one does, however it ends.

    Raises:
        InputError: A worker was killed, as it happens when the memory is full.
    """
    calls = (joblib.delayed(function)(*arguments) for function, *arguments in jobs)
    results = []
    try:
        with bar(text, total, done=done) as advance:
            for result in started(calls, workers):
                results.append(result)
                advance()
    except BrokenProcessPool as error:
        full = "SIGKILL" in str(error)
        why = ", most likely because the memory was full" if full else ""
        smaller = ", or smaller images" if full else ""
        raise InputError(
            f"{text}: a worker process ended before its work was done{why}; what was made is kept, and the same "
            f"command goes on; use fewer workers (option `workers`, now {workers}){smaller}"
        ) from error
    finally:
        # Idle workers would stay for five minutes and hold memory that training needs. When they stop, they may block
        # the next call for ever (seen with loky: a worker waits for a lock that a stopped worker still holds).
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
    return results


def started(calls: Iterable[Any], workers: int) -> Iterator[Any]:
    """Start joblib's calls in worker processes, and return their results in order, as they come.

    Args:
        calls: Calls as `joblib.delayed` makes them.
        workers: Number of processes.
    """
    local = get_active_backend()[0].__class__.__name__ == "LokyBackend"
    begin = {"initializer": worker_process.begin, "initargs": (os.getpid(),)} if local else {}
    with _signals_held_back():  # while a worker starts, it would still answer them, with a traceback
        return joblib.Parallel(n_jobs=workers, return_as="generator", **begin)(calls)


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let signals wait until the end of the block. A process that starts meanwhile never hears them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
