"""Guided ReLUs: a backward pass in which every ReLU of the model passes only positive gradients."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from wsseg.errors import InputError
from wsseg.explainers.gradients import SCALE, positive, without_gradient
from wsseg.explainers.network import Network

RELUS = {"Relu": "WssegGuidedRelu", "Relu6": "WssegGuidedRelu6", "LeakyRelu": "WssegGuidedLeakyRelu"}
"""TensorFlow's ReLU operations -> names of their guided gradients. Every ReLU of Keras ends in one of them."""

GATE = "WssegPositiveGradient"
COMPOSED = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU)
"""Layers that may consist of several operations (a threshold, a learnt slope); each is guided as a whole."""


@tf.RegisterGradient(RELUS["Relu"])
def _relu(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ReluGrad(gradients=positive(gradient), features=operation.outputs[0])


@tf.RegisterGradient(RELUS["Relu6"])
def _relu6(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.Relu6Grad(gradients=positive(gradient), features=operation.outputs[0])


@tf.RegisterGradient(RELUS["LeakyRelu"])
def _leaky_relu(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.LeakyReluGrad(
        gradients=positive(gradient), features=operation.inputs[0], alpha=operation.get_attr("alpha")
    )


@tf.RegisterGradient(GATE)
def _gate(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    return positive(gradient)


def differentiate_guided(
    function: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, network: Network
) -> tuple[tf.Tensor, int]:
    """Differentiate scores with respect to images, with every ReLU on the way guided.

    TensorFlow stores the name of the gradient with each operation of a graph. While the model is traced into the
    current graph, the gradient names of ReLUs are replaced. This changes neither the model nor anything outside this
    graph, and it affects every ReLU, however it is called.

    Args:
        function: Function from images to scores `(B, T)`, with T known at trace time.
        images: `(B, H, W, C)` float32.
        network: The model, for its layers.

    Returns:
        `(B, T, H, W, C)` float32, and the number of guided ReLUs between the images and the scores.

    Raises:
        InputError: There is no ReLU, a ReLU is in a separately compiled function, or the scores do not depend on the
            images.
    """
    graph = tf.compat.v1.get_default_graph()
    images = tf.identity(images)
    with graph.gradient_override_map(RELUS), _guided_as_a_whole(network.model):
        scores = function(images) * SCALE
    count = _guided_between(graph, images, scores, network.model)
    # A tape would ignore the gradient names stored with the operations.
    gradients = [tf.gradients(score, images)[0] for score in tf.unstack(scores, axis=1)]
    if any(gradient is None for gradient in gradients):
        raise without_gradient(network)
    return tf.stack(gradients, axis=1) / SCALE, count


@contextmanager
def _guided_as_a_whole(model: keras.Model) -> Iterator[None]:
    """Guide the output of each layer that may consist of several operations, instead of those operations."""
    with ExitStack() as stack:
        for part in {id(x): x for x in _parts(model)}.values():
            if (
                isinstance(part, COMPOSED) or type(part).__name__ == "ReLU"
            ):  # the operation of keras.activations
                stack.enter_context(_gated(part))
        yield


@contextmanager
def _gated(part: Any) -> Iterator[None]:
    call = part.call

    def gated(*args: Any, **kwargs: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        with graph.gradient_override_map({name: name for name in RELUS}):
            output = call(*args, **kwargs)
        with graph.gradient_override_map({"Identity": GATE}):
            return tf.identity(output)

    # Bypasses Keras' own __setattr__, which only tracks layers and variables.
    part.__dict__["call"] = gated
    try:
        yield
    finally:
        del part.__dict__["call"]


def _parts(model: keras.Model) -> Iterator[Any]:
    """List a model's layers at any depth, and the operations of its functional parts."""
    for layer in model._flatten_layers():
        yield layer
        yield from getattr(layer, "operations", ())


def _guided_between(graph: tf.Graph, start: tf.Tensor, end: tf.Tensor, model: keras.Model) -> int:
    """Count the guided ReLUs between two tensors."""
    behind, left = set(), [end.op]
    while left:
        operation = left.pop()
        if operation.name not in behind:
            behind.add(operation.name)
            left.extend(x.op for x in operation.inputs)
    count, touched = 0, {start.op.name}
    for operation in graph.get_operations():  # in the order of their creation
        if operation.name in behind and touched & {x.op.name for x in operation.inputs}:
            touched.add(operation.name)
            _refuse_hidden(graph, operation, model)
            count += operation.node_def.attr["_gradient_op_type"].s.decode() in (*RELUS.values(), GATE)
    if end.op.name not in touched:
        raise InputError(
            f"the score to explain does not depend on the image of model `{model.name}`; choose another "
            "output or target"
        )
    if not count:
        found = ", ".join(f"{name} ({number})" for name, number in _activations(model).most_common())
        raise InputError(
            f"guided backpropagation needs ReLUs, but model `{model.name}` has none between its image and the score; "
            f"its activations: {found or 'none'}; use `smooth_grad` or `integrated_gradients`"
        )
    return count


def _refuse_hidden(graph: tf.Graph, operation: tf.Operation, model: keras.Model) -> None:
    """Refuse ReLUs inside separately compiled functions, where their gradients can't be replaced."""
    called = {value.func.name for value in operation.node_def.attr.values() if value.HasField("func")}
    if not called:
        return
    library = {x.signature.name: x for x in graph.as_graph_def().library.function}
    seen: set[str] = set()
    while called:
        name = called.pop()
        seen.add(name)
        for node in library[name].node_def if name in library else ():
            if node.op in RELUS:
                raise InputError(
                    f"model `{model.name}` has a ReLU inside `{name}`, a separately compiled function or the body of "
                    "a loop, where it can't be guided; call it without `tf.function`, or use `smooth_grad`"
                )
            called |= {value.func.name for value in node.attr.values() if value.HasField("func")} - seen


def _activations(model: keras.Model) -> Counter:
    """Count the names of a model's activations, for the error message that none of them is a ReLU."""
    known, found = set(dir(keras.activations)) - {"linear"}, Counter()
    for part in {id(x): x for x in _parts(model)}.values():
        name = getattr(getattr(part, "activation", None), "__name__", type(part).__name__).lower()
        if name in known:
            found[name] += 1
    return found
