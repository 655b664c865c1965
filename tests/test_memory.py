"""Free memory of made-up machines, and work that shares it."""

import threading
import time

import pytest

from wsseg.memory import Budget, free_bytes, workers_that_fit
from wsseg.recipe import CRFConfig, LabelConfig
from wsseg.stages import crf

GIB = 2**30


def machine(root, groups, membership):
    files = {
        "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n",
        "proc/self/cgroup": membership,
    }
    for name, content in (files | groups).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_without_a_limit_it_is_what_the_machine_has(tmp_path):
    groups = {"sys/fs/cgroup/job/memory.max": "max\n", "sys/fs/cgroup/job/memory.current": "5\n"}
    assert free_bytes(machine(tmp_path, groups, "0::/job\n")) == 8 * GIB


@pytest.mark.parametrize(
    "inner, outer, left", [("max", 4 * GIB, 2), (5 * GIB, 4 * GIB, 2), (3 * GIB, 9 * GIB, 1)]
)
def test_the_least_of_the_groups_counts_less_what_can_be_dropped(tmp_path, inner, outer, left):
    groups = {
        f"sys/fs/cgroup/{folder}memory.{name}": f"{value}\n"
        for folder, limit in (("job/", outer), ("job/step/", inner))
        for name, value in (("max", limit), ("current", 3 * GIB), ("stat", f"anon 7\ninactive_file {GIB}"))
    }
    assert free_bytes(machine(tmp_path, groups, "0::/job/step\n")) == left * GIB


def test_the_first_version_of_groups(tmp_path):
    top = "sys/fs/cgroup/memory/slurm/memory"
    groups = {
        f"{top}.limit_in_bytes": str(2 * GIB),
        f"{top}.usage_in_bytes": str(GIB),
        f"{top}.stat": "total_inactive_file 0\n",
    }
    assert free_bytes(machine(tmp_path, groups, "3:cpu:/slurm\n4:memory,hugetlb:/slurm\n0::/\n")) == GIB


def test_this_machine_has_some_and_an_unknown_one_is_guessed(tmp_path):
    assert free_bytes() > 2**20
    assert free_bytes(tmp_path) > 2**20


def test_workers_are_as_many_as_fit():
    assert workers_that_fit(-1, 0, free=lambda: 100 * GIB, cores=6) == 6
    assert workers_that_fit(-2, 0, free=lambda: 100 * GIB, cores=6) == 5
    assert workers_that_fit(6, GIB, free=lambda: 8 * GIB) == 3
    assert workers_that_fit(6, GIB, free=lambda: 0) == 1
    assert workers_that_fit(6, GIB, free=lambda: None) == 6


def test_large_images_lower_the_number_of_worker_processes_and_a_line_says_so(monkeypatch, capsys, tmp_path):
    sizes = {tmp_path / "a": 300 * 400, tmp_path / "b": 2000 * 3000}
    monkeypatch.setattr(crf, "pixel_count", sizes.get)
    monkeypatch.setattr(
        crf, "workers_that_fit", lambda *words, free=lambda: 14 * GIB: workers_that_fit(*words, free=free)
    )
    config = LabelConfig(workers=8)
    assert crf.worker_count(config, sizes) == 2  # 7 GiB, of which one takes 6e6 x 500 bytes and 200 MiB
    assert "2 of 8 worker processes" in capsys.readouterr().err
    assert crf.worker_count(config, [tmp_path / "a"]) == 8 and crf.worker_count(config, []) == 8
    assert capsys.readouterr().err == ""
    assert crf.worker_count(config, sizes, CRFConfig(backend="keras")) == 1


def test_threads_share_a_budget_and_the_largest_part_waits_for_all_others():
    budget, held, most = Budget(lambda: 200), [], []

    def take(size):
        with budget.part(size):
            held.append(size)
            most.append(sum(held))
            time.sleep(0.01)
            held.remove(size)

    threads = [threading.Thread(target=take, args=(size,)) for size in (40, 40, 40, 70, 500, 10) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not held and len(most) == 30
    assert all(total <= 100 or total == 500 for total in most) and max(most) == 500
