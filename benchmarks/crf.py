"""The dense CRF beside pydensecrf, on photographs of 375 x 500, in one process.

    python benchmarks/crf.py [--classes 3 21] [--rounds 5] [--presets irn psa deeplab_v2 toco] [--skip memory ...]

They take turns, image by image, and each one's best round counts, so that other work on the machine disturbs both
alike. One thread is compared by the thread's CPU time, throughput by the clock. Both get the same arrays and return
marginals; reading and the check of the input are in both times. Per preset and K:

- one thread: how often faster, each photograph's ratio; the share of equal labels and the largest difference
- several: images a second by `DenseCRF.map` on one and two threads, pydensecrf in one and two processes
- present: 21 labels of which 3 are there, `DenseCRF.over_present` against pydensecrf over all 21
- compile: seconds of the first call in a process, with nothing kept on disk and with the code kept
- memory: what the peak of a process rises by during a call (Linux)
- graph: the backend `keras` (`wsseg.layers.MeanFieldCRF`) beside `numba`: equal labels of all pixels, different ones of
  those that the CRF changes, and the ratio of times, on whatever device TensorFlow has
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from skimage import data
from skimage.transform import resize

from wsseg.refiners import DenseCRF
from wsseg.refiners.dense_crf import PRESETS

SIZE = (375, 500)
PHOTOGRAPHS = (data.astronaut, data.coffee, data.chelsea)
PARTS = ("one", "several", "present", "compile", "memory", "graph")


def photograph(place: int) -> np.ndarray:
    """A photograph, cut to the shape and reduced or enlarged."""
    image = PHOTOGRAPHS[place]()
    scale = min(image.shape[0] / SIZE[0], image.shape[1] / SIZE[1])
    cut = image[: int(SIZE[0] * scale), : int(SIZE[1] * scale)]
    return (resize(cut, SIZE, anti_aliasing=scale > 1) * 255).astype(np.uint8)


def map_like(classes: int, seed: int) -> np.ndarray:
    """Probabilities as class maps give them: smooth blobs, some noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(14, 18, classes)) - np.arange(classes) / 8
    scores = np.exp(2 * resize(coarse, SIZE, order=1) + 0.3 * rng.normal(size=(*SIZE, classes)))
    return (scores / scores.sum(-1, keepdims=True)).astype(np.float32)


def best(calls: dict[str, Callable], rounds: int, clock: Callable = time.perf_counter) -> dict[str, float]:
    """Seconds of each call's best round; they take turns."""
    times = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            times[name] = min(times[name], clock() - start)
    return times


def one_thread(preset: str, classes: int, rounds: int) -> None:
    ours, theirs = DenseCRF.preset(preset), DenseCRF.preset(preset, backend="pydensecrf")
    ratios, equal, apart, times = [], [], [], []
    for place in range(len(PHOTOGRAPHS)):
        image, probs = photograph(place), map_like(classes, place)
        a, b = ours(image, probs), theirs(image, probs)
        equal.append((a.argmax(-1) == b.argmax(-1)).mean())
        apart.append(np.abs(a - b).max())
        calls = {"ours": lambda: ours(image, probs), "theirs": lambda: theirs(image, probs)}  # noqa: B023
        took = best(calls, rounds, time.thread_time)
        ratios.append(took["theirs"] / took["ours"])
        times.append(took["ours"])
    print(
        f"{preset:11} K {classes:3}: {' '.join(f'{r:5.2f}' for r in ratios)} x faster, mean {np.mean(ratios):5.2f}; "
        f"{1e3 * np.mean(times):4.0f} ms; labels equal {min(equal):.5%}, probabilities to {max(apart):.1e}",
        flush=True,
    )


def _theirs(job: tuple) -> None:
    preset, image, probs = job
    DenseCRF.preset(preset, backend="pydensecrf")(image, probs)


def several(preset: str, classes: int, rounds: int) -> None:
    ours = DenseCRF.preset(preset)
    images = [photograph(place) for place in range(len(PHOTOGRAPHS))] * 2
    probs = [map_like(classes, place) for place in range(len(PHOTOGRAPHS))] * 2
    jobs = [(preset, image, each) for image, each in zip(images, probs)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_theirs, jobs[:2]))
        calls = {
            "1 thread": lambda: list(ours.map(images, probs, workers=1)),
            "2 threads": lambda: list(ours.map(images, probs, workers=2)),
            "pydensecrf, 1 process": lambda: [_theirs(job) for job in jobs],
            "pydensecrf, 2 processes": lambda: list(pool.map(_theirs, jobs)),
        }
        took = best(calls, rounds)
    rates = "; ".join(f"{name} {len(jobs) / seconds:.1f}" for name, seconds in took.items())
    gain = took["1 thread"] / took["2 threads"]
    peer = took["pydensecrf, 2 processes"] / took["2 threads"]
    print(
        f"{preset:11} K {classes:3}: images/s {rates}; second thread x {gain:.2f}, 2 to 2 x {peer:.2f}",
        flush=True,
    )


def present(preset: str, rounds: int) -> None:
    ours, theirs = DenseCRF.preset(preset), DenseCRF.preset(preset, backend="pydensecrf")
    ratios, equal = [], []
    for place in range(len(PHOTOGRAPHS)):
        image, probs = photograph(place), np.zeros((*SIZE, 21), np.float32)
        probs[..., [0, 8, 15]] = map_like(3, place)
        a, b = ours.over_present(image, probs), theirs(image, probs)
        equal.append((a.argmax(-1) == b.argmax(-1)).mean())
        calls = {"ours": lambda: ours.over_present(image, probs), "theirs": lambda: theirs(image, probs)}  # noqa: B023
        took = best(calls, rounds, time.thread_time)
        ratios.append(took["theirs"] / took["ours"])
    text = " ".join(f"{r:5.2f}" for r in ratios)
    print(
        f"{preset:11} 3 labels of 21: {text} x faster, mean {np.mean(ratios):5.2f}; labels equal {min(equal):.5%}"
    )


def in_subprocess(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


FIRST_CALL = """
import time, numpy as np
from wsseg.refiners import DenseCRF
image, probs = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, {classes}), 1 / {classes}, np.float32)
start = time.perf_counter()
DenseCRF()(image, probs)
print(time.perf_counter() - start)
"""

# Freed arrays go back to the system, so that what is used again counts.
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
PEAK = """
import sys
sys.path.insert(0, {folder!r})
from crf import DenseCRF, map_like, photograph
from pathlib import Path
import numpy as np
def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024
image, probs = photograph(0), map_like({classes}, 0)
crf = DenseCRF.preset({preset!r}, backend={backend!r})
crf(image[:8, :8], np.ascontiguousarray(probs[:8, :8]))
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
crf(image, probs)
print(status("VmHWM") - before)
"""


def compile_time(classes: list[int]) -> None:
    for k in classes:
        with tempfile.TemporaryDirectory() as folder:
            program = FIRST_CALL.format(classes=k)
            first, second = (float(in_subprocess(program, NUMBA_CACHE_DIR=folder)) for _ in range(2))
        print(
            f"K {k:3}: first call {first:.1f} s, and {second:.2f} s once its code is kept (import of numba included)"
        )


def memory(presets: list[str], classes: list[int]) -> None:
    folder = str(Path(__file__).parent)
    for preset in presets:
        for k in classes:
            peaks = [
                float(
                    in_subprocess(
                        PEAK.format(folder=folder, classes=k, preset=preset, backend=backend), **AT_ONCE
                    )
                )
                for backend in ("numba", "pydensecrf")
            ]
            print(f"{preset:11} K {k:3}: peak {peaks[0]:.0f} MB, pydensecrf {peaks[1]:.0f} MB", flush=True)


def graph(preset: str, classes: int, rounds: int) -> None:
    ours, theirs = DenseCRF.preset(preset), DenseCRF.preset(preset, backend="keras")
    equal, missed, ratios = [], [], []
    for place in range(len(PHOTOGRAPHS)):
        image, probs = photograph(place), map_like(classes, place)
        labels, found = ours(image, probs).argmax(-1), theirs(image, probs).argmax(-1)
        changed = probs.argmax(-1) != labels
        equal.append((labels == found).mean())
        missed.append((labels != found)[changed].mean())
        times = best(
            {"numba": lambda i=image, p=probs: ours(i, p), "keras": lambda i=image, p=probs: theirs(i, p)},
            rounds,
        )
        ratios.append(times["keras"] / times["numba"])
    print(
        f"  {preset:10s} K {classes:2d}: labels equal {min(equal):.6f}, different where the CRF changes one "
        f"{max(missed):.6f}; {min(ratios):.1f} to {max(ratios):.1f} times numba's time",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classes", type=int, nargs="+", default=[3, 21])
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip", nargs="+", default=[], choices=PARTS)
    options = parser.parse_args()
    grid = [(preset, k) for k in options.classes for preset in options.presets]
    if "one" not in options.skip:
        print("One thread")
        for preset, k in grid:
            one_thread(preset, k, options.rounds)
    if "several" not in options.skip:
        print("Several images")
        for preset, k in grid:
            several(preset, k, max(2, options.rounds // 2))
    if "present" not in options.skip:
        print("Labels present only")
        for preset in options.presets:
            present(preset, options.rounds)
    if "compile" not in options.skip:
        print("Compilation")
        compile_time(options.classes)
    if "memory" not in options.skip:
        print("Memory")
        memory(options.presets, options.classes)
    if "graph" not in options.skip:
        print("As a graph")
        for preset, k in grid:
            graph(preset, k, max(2, options.rounds // 2))


if __name__ == "__main__":
    main()
