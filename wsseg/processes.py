"""Per-image work in processes.

A worker imports the module of the function that it runs, so such functions live in modules that import neither
TensorFlow nor Keras: their import takes longer than the work, and loky takes the memory for a leak and stops
the worker.
"""

from collections.abc import Callable, Iterable
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor

from wsseg.progress import bar


def in_processes(
    jobs: Iterable[tuple[Callable, ...]], text: str, total: int, done: int, workers: int
) -> list[Any]:
    """Run `(function, *arguments)` jobs in worker processes, with progress; results come in order.

    joblib decides where: processes of this machine by default, or a cluster inside its `parallel_config`.
    """
    results = []
    try:
        with bar(text, total, done=done) as advance:
            calls = (joblib.delayed(function)(*arguments) for function, *arguments in jobs)
            for result in joblib.Parallel(n_jobs=workers, return_as="generator")(calls):
                results.append(result)
                advance()
    finally:
        # Idle workers would stay for five minutes, hold memory that training needs, and, as they retire, may
        # block the next call for ever (seen with loky: a worker waits for a lock that another took with it).
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
    return results
