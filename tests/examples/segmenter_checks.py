"""What every segmenter on a backbone must do, each check in a function."""

import keras
import numpy as np

from wsseg.saved_models import load_model


def photograph(size_hw=(64, 96)):
    """Return noise in an image's range, `(1, H, W, 3) float32`."""
    return np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype("float32")


def check_any_size(model, num_classes=3, sizes=((64, 96), (65, 71), (33, 50))):
    """Assert that a model of unknown input size gives float32 logits of the image's size."""
    assert model.output_shape == (None, None, None, num_classes)
    for size_hw in sizes:
        logits = model(photograph(size_hw))
        assert logits.shape == (1, *size_hw, num_classes)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        assert np.std(logits) > 0


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
    rng = np.random.default_rng(1)
    for variable in model.weights:  # what a fresh network has must not hide what was not loaded
        variable.assign(rng.uniform(0.5, 1.5, variable.shape) * (np.array(variable) + 0.01))
    model.save(folder / "segmenter.keras")
    loaded = load_model(folder / "segmenter.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.backbone_layers == model.backbone_layers
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(loaded(photograph(size_hw)), model(photograph(size_hw)))
    return loaded
