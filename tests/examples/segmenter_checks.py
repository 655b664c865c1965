"""What every segmenter on a backbone must do, each check in a function."""

import keras
import numpy as np

from examples.rectangles import losses_of
from wsseg.backbones.shapes_only import shapes_only
from wsseg.saved_models import load_model


def photograph(size_hw=(64, 96)):
    """Return noise in an image's range, `(1, H, W, 3) float32`."""
    return np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype("float32")


def randomise(model):
    """Give a model weights that keep the size of its activations, batch norm's statistics too; return it.

    A fresh network is nearly constant: its last layers begin near zero, its batch norm does nothing yet.
    """
    rng = np.random.default_rng(1)
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.path.rpartition("/")[2]
        if len(shape) == 4:
            inputs = shape[0] * shape[1] * (1 if "depthwise" in name or shape[3] == 1 else shape[2])
            variable.assign(rng.normal(0, np.sqrt(2 / inputs), shape))
        elif name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        else:
            variable.assign(rng.normal(0, 0.1, shape))
    return model


def check_same_as_any_size(fixed, any_size, size_hw):
    """Assert that a model of fixed input size computes the same; some networks do for even sizes only."""
    assert fixed.output_shape == (None, *size_hw, any_size.output_shape[-1])
    fixed.set_weights(any_size.get_weights())
    expected = np.array(any_size(photograph(size_hw)))
    np.testing.assert_allclose(fixed(photograph(size_hw)), expected, rtol=1e-3, atol=1e-4 * expected.std())


def check_any_size(model, num_classes=3, sizes=((64, 96), (65, 71), (33, 50))):
    """Assert that a model of unknown input size gives float32 logits of the image's size."""
    assert model.output_shape == (None, None, None, num_classes)
    for size_hw in sizes:
        logits = model(photograph(size_hw))
        assert logits.shape == (1, *size_hw, num_classes)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        assert np.std(logits, axis=(1, 2)).max() > 1e-3 * np.abs(logits).max() > 0  # a map that varies


def check_head(model):
    """Assert that backbone and head share no variable, and that there is no other; return the head's paths."""
    head = [variable.path for variable in model.head_variables]
    named = model.named_layers()
    backbone = [v.path for name in model.backbone_layers for v in named[name].trainable_variables]
    assert len(set(head)) == len(head) and not set(head) & set(backbone)
    assert set(head) | set(backbone) == {variable.path for variable in model.trainable_variables}
    assert head and backbone
    return head


def check_saving(model, folder, size_hw=(64, 96)):
    """Assert that a saved model loads equal; return the loaded one."""
    randomise(model)  # what a fresh network has must not hide what was not loaded
    model.save(folder / "segmenter.keras")
    loaded = load_model(folder / "segmenter.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.backbone_layers == model.backbone_layers
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(loaded(photograph(size_hw)), model(photograph(size_hw)))
    return loaded


def check_mixed_precision(build, loss=None):
    """Assert that what `build` makes under `mixed_float16` gives float32 logits and takes finite steps."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    assert any(layer.compute_dtype == "float16" for layer in model.layers)
    assert keras.backend.standardize_dtype(model(photograph((64, 64))).dtype) == "float32"
    assert np.isfinite(losses_of(model, 2, loss=loss)).all()
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


@shapes_only()
def check_mixed_precision_types(build, **dtypes):
    """Assert that what `build` makes under `mixed_float16` has float32 logits, and its layers these dtypes.

    It takes no step, unlike `check_mixed_precision`: for large networks.
    """
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert {name: model.get_layer(name).output.dtype for name in dtypes} == dtypes
