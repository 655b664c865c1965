"""How long does tf.data take to end an epoch, with autotuning and without (`wsseg.loading.pipeline`)?

Plain tf.data: images are made, resized, batched and prefetched; two convolutions stand for the network. An epoch takes
batches for the stated seconds and then deletes the iterator, as `fit` does after its last step. Timed is the deletion.
Both settings alternate in one run.

    python benchmarks/epoch_end.py [--repeats 12] [--seconds 1.4 3.0 5.5]
"""

import argparse
import os
import time

import numpy as np
import tensorflow as tf

FIRST, SECOND = (tf.random.stateless_normal((3, 3, channels, 32), (1, 2)) for channels in (3, 32))


def example(index: tf.Tensor) -> tf.Tensor:
    image = tf.numpy_function(lambda i: np.full((200, 200, 3), i % 255, np.uint8), [index], tf.uint8)
    return tf.image.resize(tf.ensure_shape(image, (None, None, 3)), (256, 256))


@tf.function
def step(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.conv2d(tf.nn.conv2d(images, FIRST, 2, "SAME"), SECOND, 2, "SAME"))


def seconds_to_end(seconds: float, autotune: bool) -> float:
    options = tf.data.Options()
    options.autotune.enabled = autotune
    calls = tf.data.AUTOTUNE if autotune else min(os.cpu_count() or 1, 16)
    data = tf.data.Dataset.range(10**9).with_options(options)
    data = data.map(example, num_parallel_calls=calls, deterministic=True).batch(8).prefetch(2)
    batches, start = iter(data), time.perf_counter()
    while time.perf_counter() - start < seconds:
        step(next(batches)).numpy()
    end = time.perf_counter()
    del batches
    return time.perf_counter() - end


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.4, 3.0, 5.5])
    arguments = parser.parse_args()
    print("epoch  autotuning  pauses    longest  seconds to end, sorted")
    for seconds in arguments.seconds:
        pairs = [
            [seconds_to_end(seconds, autotune) for autotune in (True, False)]
            for _ in range(arguments.repeats)
        ]
        for name, ends in zip(("on", "off"), zip(*pairs)):
            pauses = f"{sum(end > 0.2 for end in ends)} of {len(ends)}"
            every = " ".join(f"{end:.2f}" for end in sorted(ends, reverse=True))
            print(f"{seconds:.1f} s  {name:<10}  {pauses:<8}  {max(ends):.2f} s   {every}", flush=True)


if __name__ == "__main__":
    main()
