"""Import TensorFlow without its start-up lines, which its C++ code writes to standard error.

"oneDNN custom operations are on", "Could not find cuda drivers" and absl's warning are written during the import,
whatever TF_CPP_MIN_LOG_LEVEL says (TensorFlow 2.21), so only a redirection of the file descriptor keeps them away.
"""

import contextlib
import faulthandler
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|[IW]\d{4} .*\.cc:\d+\]"  # of absl: information and warnings
    r"|\d{4}-\d\d-\d\d .*: [IW] .*\.cc:\d+\]"  # the same of TensorFlow up to 2.20
    r"|To enable the following instructions: "
    r"|.*failed call to cuInit: .*\(303\)"  # there is no driver at all, so no GPU
)
"""Beginnings of the lines that are dropped. All others are passed on."""

STDERR = 2


def hide_start_up_lines() -> None:
    """Drop TensorFlow's start-up lines when it is imported; nothing is imported now.

    Whoever sets TF_CPP_MIN_LOG_LEVEL to 0 or 1 sees all lines.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    wanted = os.environ["TF_CPP_MIN_LOG_LEVEL"] in ("0", "1")
    if not wanted and "tensorflow" not in sys.modules and _Finder not in map(type, sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Wraps the loader of `tensorflow`, once, and leaves."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(Loader):
    """Loads a module as another loader does, without noise."""

    def __init__(self, loader: Any):
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        with without_noise():
            self.loader.exec_module(module)
            module.config.list_physical_devices()  # looks for GPUs, and says that there is none


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, by any language, and then pass on all but `NOISE`.

    After an error everything is passed on. If the process dies meanwhile, Python says where.
    """
    sys.stderr.flush()
    try:
        own = os.dup(STDERR)
    except OSError:  # closed: nobody would see the lines
        yield
        return
    with tempfile.TemporaryFile() as held, os.fdopen(own, "wb", 0) as own_file:
        watches = not faulthandler.is_enabled()
        if watches:
            faulthandler.enable(own_file)
        os.dup2(held.fileno(), STDERR)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(own, STDERR)
            if watches:
                faulthandler.disable()
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            os.write(STDERR, "".join(x for x in lines if failed or not NOISE.match(x)).encode())
