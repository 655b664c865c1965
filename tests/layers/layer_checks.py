"""What every layer of the package must do, in one function."""

import inspect
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from examples import half_precision

HALF = {"rtol": 3e-2, "atol": 3e-2}
"""float16 has 11 bits, and a layer adds a handful of rounded values."""


def check_layer(make, *inputs, as_list=True, unknown_size=True, half=HALF, differentiable=True):
    """Assert the properties that a network relies on.

    The shape is the one that `compute_output_shape` says; sizes may be unknown until the graph runs; XLA
    compiles it; a saved functional model loads with equal outputs; the configuration holds every argument and
    makes the layer again; it trains in float32 and in mixed precision, with finite gradients of like values.

    Args:
        make: Returns a fresh layer, given the keyword arguments that every Keras layer takes.
        inputs: Arrays with the batch first and the channels last; the first float one is trained through.
        as_list: Whether the layer takes several inputs as one list (else as arguments).
        unknown_size: Whether height and width may be unknown.
        half: Tolerance of mixed precision against float32, of outputs and of gradients.
        differentiable: Whether gradients pass through to the input.
    """
    check_shapes(make, inputs, as_list)
    check_config(make, inputs, as_list)
    check_compilation(make, inputs, as_list)
    for size_known in (True, False) if unknown_size else (True,):
        check_graph(make, inputs, as_list, size_known)
        check_saving(make, inputs, as_list, size_known)
        check_training(make, inputs, as_list, size_known, half, differentiable)


def check_shapes(make, inputs, as_list):
    layer = make()
    outputs = flat(call(layer, inputs, as_list))
    found = [tuple(output.shape) for output in outputs]
    stated = stated_shapes(layer, [array.shape for array in inputs], as_list)
    assert found == stated, f"shapes {found}, but compute_output_shape says {stated}"
    unknown = [(None,) * (array.ndim - 1) + array.shape[-1:] for array in inputs]
    for shape, output in zip(stated_shapes(layer, unknown, as_list), outputs, strict=True):
        fits = all(n in (None, m) for n, m in zip(shape, output.shape, strict=True))
        assert fits and shape[-1] is not None, f"compute_output_shape says {shape} of unknown sizes"


def stated_shapes(layer, shapes, as_list):
    stated = layer.compute_output_shape(*([shapes] if as_list and len(shapes) > 1 else shapes))
    return list(stated) if isinstance(stated[0], tuple) else [stated]


def check_config(make, inputs, as_list):
    layer = make(name="the_layer")
    expected = flat(call(layer, inputs, as_list))
    serialized = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(json.loads(json.dumps(serialized)))
    assert type(restored) is type(layer)
    assert restored.get_config() == layer.get_config(), "the configuration changed on the way"
    own = inspect.signature(type(layer).__init__).parameters
    missing = {name for name in own if name not in ("self", "kwargs")} - set(layer.get_config())
    assert not missing, f"get_config lacks {missing}"
    call(restored, inputs, as_list)
    restored.set_weights(layer.get_weights())
    equal(call(restored, inputs, as_list), expected)


def check_compilation(make, inputs, as_list):
    layer = make()
    expected = call(layer, inputs, as_list)
    compiled = tf.function(lambda *tensors: call(layer, tensors, as_list), jit_compile=True)
    close(compiled(*map(tf.constant, inputs)), expected)


def check_graph(make, inputs, as_list, size_known):
    """The static shape inside a traced graph must keep the channels, or no layer could follow."""
    layer = make()
    expected = call(layer, inputs, as_list)
    signature = [tf.TensorSpec((None, *sides(array, size_known)), array.dtype) for array in inputs]
    shapes = []

    def run(*tensors):
        outputs = call(layer, tensors, as_list)
        shapes.extend(output.shape for output in flat(outputs))
        return outputs

    close(tf.function(run, input_signature=signature)(*inputs), expected)
    for shape, output in zip(shapes, flat(expected)):
        assert shape[-1] == output.shape[-1], f"channels unknown in the graph: {shape}"


def check_saving(make, inputs, as_list, size_known):
    model = functional(make(name="the_layer"), inputs, as_list, size_known)
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).uniform(0.5, 1.5, weight.shape))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        loaded = keras.saving.load_model(Path(folder) / "model.keras")
    assert type(loaded.get_layer("the_layer")) is type(model.get_layer("the_layer"))
    assert loaded.output_shape == model.output_shape
    equal(loaded(list(inputs)), model(list(inputs)))
    predicted = model.predict_on_batch(list(inputs))
    close(predicted, model(list(inputs)))
    for symbol, output in zip(model.outputs, flat(predicted), strict=True):
        fits = all(n in (None, m) for n, m in zip(symbol.shape, output.shape, strict=True))
        assert fits, f"the model states {symbol.shape} and gives {output.shape}"


def check_training(make, inputs, as_list, size_known, half, differentiable):
    """One step through a dense layer before the layer, so that gradients must pass through it."""
    results = {}
    for policy in ("float32", "mixed_float16") if half_precision.AVAILABLE else ("float32",):
        keras.utils.set_random_seed(0)
        model = trained(make(dtype=policy), inputs, as_list, size_known, policy)
        outputs, gradients = step(model, inputs)
        assert all(np.isfinite(g).all() for g in gradients), f"gradients in {policy} are not finite"
        if differentiable:
            assert gradients and all(np.abs(g).max() > 0 for g in gradients), f"no gradient in {policy}"
        for output, symbolic in zip(outputs, model.outputs):
            found = keras.backend.standardize_dtype(output.dtype)
            assert found == symbolic.dtype, f"{found} in {policy}, stated as {symbolic.dtype}"
        results[policy] = outputs, gradients
    for whole, part in zip(results["float32"], results.get("mixed_float16", ())):
        for expected, found in zip(whole, part):
            expected, found = np.array(expected, "float64"), np.array(found, "float64")
            np.testing.assert_allclose(
                found,
                expected,
                half["rtol"],
                half["atol"] * np.abs(expected).max(),
                err_msg="mixed_float16 differs from float32",
            )


def trained(layer, inputs, as_list, size_known, policy):
    """Return a model that trains a matrix, at first the identity, before the layer's first float input."""
    symbols = symbolic(inputs, size_known)
    tensors = list(symbols)
    first = next(place for place, array in enumerate(inputs) if array.dtype.kind == "f")
    channels = inputs[first].shape[-1]
    tensors[first] = keras.layers.Dense(
        channels, use_bias=False, kernel_initializer="identity", dtype=policy
    )(tensors[first])
    return keras.Model(symbols, call(layer, tensors, as_list))


def step(model, inputs):
    """Return outputs and gradients of one step of gradient descent on the weighted mean of the outputs."""
    generator = np.random.default_rng(2)

    @tf.function(reduce_retracing=True)
    def gradients_of(*tensors):
        with tf.GradientTape() as tape:
            outputs = flat(model(list(tensors), training=True))
            floats = [output for output in outputs if output.dtype.is_floating]
            loss = sum(
                tf.reduce_mean(tf.cast(output, "float32") * weights)
                for output, weights in zip(floats, wanted)
            )
        return outputs, tape.gradient(loss, model.trainable_variables)

    wanted = [
        generator.uniform(0.5, 1.5, output.shape).astype("float32")
        for output in flat(model(list(inputs)))
        if output.dtype.is_floating
    ]
    outputs, gradients = gradients_of(*map(tf.constant, inputs))
    pairs = [(g, v) for g, v in zip(gradients, model.trainable_variables) if g is not None]
    before = model.get_weights()
    if pairs:
        keras.optimizers.SGD(0.1).apply_gradients(pairs)
        assert any((a != b).any() for a, b in zip(model.get_weights(), before)), "nothing was learnt"
    return outputs, [np.array(g) for g, _ in pairs]


def functional(layer, inputs, as_list, size_known):
    symbols = symbolic(inputs, size_known)
    return keras.Model(symbols, call(layer, symbols, as_list))


def symbolic(inputs, size_known):
    return [keras.Input(sides(array, size_known), dtype=str(array.dtype)) for array in inputs]


def sides(array, size_known):
    """Return the shape without the batch; where sizes are unknown, channels alone are given."""
    if size_known:
        return array.shape[1:]
    return (None, None, *array.shape[3:])


def call(layer, inputs, as_list):
    if len(inputs) == 1 or not as_list:
        return layer(*inputs)
    return layer(list(inputs))


def flat(outputs):
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def equal(found, expected):
    for a, b in zip(flat(found), flat(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def close(found, expected):
    """Assert equality but for the rounding of float32 at the size of the largest values."""
    for a, b in zip(flat(found), flat(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(1, np.max(np.abs(b))))
