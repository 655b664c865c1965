import subprocess
import sys

import numba.core.caching
import pytest

from wsseg.refiners.dense_crf import compiled as module


def twice(x):
    return 2 * x


def test_where_nothing_can_be_kept_it_says_so_and_compiles(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    with pytest.warns(UserWarning, match="set NUMBA_CACHE_DIR to a folder that can be written"):
        function = module.compiled(twice)
    assert function(21) == 42


PROGRAM = """
import numpy as np
from wsseg.refiners.dense_crf.present import survey
highest, sound = survey(np.full((4, 2), 0.5, np.float32))
assert sound and highest.tolist() == [0.5, 0.5]
print(sum(survey.stats.cache_hits.values()), sum(survey.stats.cache_misses.values()))
"""


def test_code_is_kept_in_the_folder_named_and_found_by_the_next_process(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    def run():
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert run() == ["0", "1"]
    assert list(tmp_path.rglob("*.nbc"))
    assert run() == ["1", "0"]


def test_a_change_in_any_file_of_the_folder_makes_the_code_void(monkeypatch):
    stamp = module.compiled(twice)._cache._cache_file._source_stamp
    assert module.compiled(twice)._cache._cache_file._source_stamp == stamp
    monkeypatch.setattr(module, "SOURCES", module.hashlib.sha256(b"another"))
    assert module.compiled(twice)._cache._cache_file._source_stamp != stamp
