"""Gradients are summed two at a time: in the graph that runs there is no sum whose order the threads decide."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from wsseg.training.ordered_sums import _summed

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
import keras, numpy as np, tensorflow as tf
from keras import layers
from wsseg.training.ordered_sums import order_sums

tf.config.experimental.enable_op_determinism()
if sys.argv[1] == "ordered":
    assert order_sums()
keras.utils.set_random_seed(0)
image = keras.Input((8, 8, 4))
tensor = layers.BatchNormalization()(layers.Conv2D(4, 1)(image))
tensor = layers.add([layers.Conv2D(4, 1)(tensor), layers.ReLU()(tensor), layers.Conv2D(4, 1)(tensor), tensor])
model = keras.Model(image, layers.GlobalAveragePooling2D()(tensor))
images = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")

@tf.function
def gradients():
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True) ** 2)
    return tape.gradient(loss, model.trainable_variables)

from tensorflow.python.eager import context
context.context().enable_graph_collection()
gradients()
graphs = [one.post_optimization_graph for one in context.context().export_run_metadata().function_graphs]
nodes = [node for graph in graphs for node in graph.node]
nodes += [node for graph in graphs for function in graph.library.function for node in function.node_def]
assert any(node.op.startswith("Conv2DBackprop") for node in nodes)  # the graph of the gradients is among them
print(sum(node.op == "AddN" and node.attr["N"].i > 2 for node in nodes))
"""


def sums_of_three_or_more(mode):
    """Return how many sums of three or more tensors the optimised graph of a step has."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


def test_no_sum_of_three_or_more_is_left():
    assert sums_of_three_or_more("as it is") > 0, (
        "TensorFlow sums in order now: this file is no longer needed"
    )
    assert sums_of_three_or_more("ordered") == 0


def test_the_sum_is_from_the_first_to_the_last():
    parts = np.float32([1, 1e8, -1e8, 3])
    assert _summed(None, [tf.constant(part) for part in parts]).numpy() == np.float32(3)  # 1 + 1e8 is 1e8
    sparse = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([0]))
    assert _summed(len, [sparse, sparse, sparse]) == 3


def test_a_version_without_this_way_is_no_error(monkeypatch):
    from tensorflow.python.eager import backprop

    from wsseg.training import ordered_sums

    monkeypatch.delattr(backprop, "_default_vspace")
    assert ordered_sums.order_sums.__wrapped__() is False
