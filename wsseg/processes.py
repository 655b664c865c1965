"""Per-image work in worker processes.

A worker imports the module of the function that it runs. Such a module must import neither TensorFlow nor Keras:
importing them takes longer than the work, and loky mistakes their memory for a leak and stops the worker.
"""

from collections.abc import Callable, Iterable
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor

from wsseg.progress import bar


def in_processes(
    jobs: Iterable[tuple[Callable, ...]], text: str, total: int, done: int, workers: int
) -> list[Any]:
    """Run `(function, *arguments)` jobs in worker processes, show progress, and return the results in order.

    joblib decides where the jobs run: by default in processes of this machine, or on the cluster that a surrounding
    `joblib.parallel_config` names.
    """
    results = []
    try:
        with bar(text, total, done=done) as advance:
            calls = (joblib.delayed(function)(*arguments) for function, *arguments in jobs)
            for result in joblib.Parallel(n_jobs=workers, return_as="generator")(calls):
                results.append(result)
                advance()
    finally:
        # Idle workers would stay for five minutes and hold memory that training needs. When they stop, they may block
        # the next call for ever (seen with loky: a worker waits for a lock that a stopped worker still holds).
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
    return results
