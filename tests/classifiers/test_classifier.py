"""What holds for every head: validity, strides, sizes, precision, saving, training from labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.half_precision import needs_half_precision

from wsseg import classifiers
from wsseg.errors import InputError
from wsseg.saved_models import load_model

HEADS = tuple(classifiers.CLASSIFIERS)
LABELS = np.eye(3, dtype="float32")[:2]


@pytest.fixture(scope="module")
def models(build):
    """Return each head's classifier, built once; not to be trained."""
    return {head: build(head) for head in HEADS}


def maps_of(model, images):
    """Return the class maps whose mean is the output, or GAP's features."""
    return keras.Model(model.input, getattr(model, "class_maps", model.features))(images).numpy()


@pytest.mark.parametrize("head", HEADS)
def test_validity_pools_the_cells_of_the_image_alone(models, images, padded, head):
    model = models[head]
    maps = maps_of(model, images)
    assert maps.shape[:3] == (2, 4, 6)
    # Cells of 16 pixels: 40 rows hold the centres 8 and 24, 64 columns the centres 8, 24, 40, 56.
    pooled = np.stack([maps[0, :2, :4].mean((0, 1)), maps[1].mean((0, 1))])
    expected = pooled @ model.head.get_weights()[0] if head == "gap" else pooled
    found = model.with_validity()([images, padded]).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(found[0], model(images)[0])
    np.testing.assert_allclose(found[1], model(images)[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_all_weights_are_trained_and_saved(tmp_path, models, images, head):
    model = models[head]
    assert {id(v) for v in model.to_train().weights} == {id(v) for v in model.weights}
    model.save(tmp_path / "classifier.keras")
    loaded = load_model(tmp_path / "classifier.keras")
    assert type(loaded) is type(model) and loaded.get_config() == model.get_config()
    for mine, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize(("head", "tensors"), [("gap", 1), ("nin", 6), ("acol", 12), ("seam", 4)])
def test_head_variables_are_all_but_the_backbones(models, head, tensors):
    model = models[head]
    names = {v.path for v in model.head_variables}
    assert len(names) == tensors and not any("block" in name for name in names)
    assert tensors + 5 * 3 == len(model.trainable_variables)  # of `tiny`: five kernels, gammas and betas


@pytest.mark.parametrize("head", HEADS)
def test_a_smaller_stride_oversamples_the_same_maps(models, images, head):
    model = models[head]
    dense = model.at_output_stride(8)
    assert dense.output_stride == 8 and dense.rate == {"gap": None, "seam": None}.get(head, 2)
    coarse, fine = maps_of(model, images), maps_of(dense, images)
    assert fine.shape[1:3] == (8, 12)
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, rtol=1e-3, atol=1e-3)
    assert np.abs(fine[:, 1::2, ::2] - coarse).max() > 1e-2
    back = dense.at_output_stride(16)
    np.testing.assert_allclose(back(images), model(images), rtol=1e-5, atol=1e-5)


def test_a_larger_stride_than_the_trained_one(models):
    assert models["gap"].at_output_stride(32).output_stride == 32
    with pytest.raises(InputError, match=r"`output_stride` 32: the 3x3.*trained at output stride 16"):
        models["nin"].at_output_stride(32)


@pytest.mark.parametrize("head", HEADS)
def test_a_fixed_size_gives_the_same_scores(models, images, padded, head, build):
    fixed = build(head, input_size=(64, 96))
    assert fixed.input_shape == (None, 64, 96, 3) and fixed.input_size == (64, 96)
    fixed.set_weights(models[head].get_weights())
    np.testing.assert_allclose(fixed(images), models[head](images), rtol=1e-5, atol=1e-5)
    both = [model.with_validity()([images, padded]) for model in (fixed, models[head])]
    np.testing.assert_allclose(*both, rtol=1e-5, atol=1e-5)
    assert models[head].input_size is None
    assert models[head](images[:, :50, :77]).shape == (2, 3)


@pytest.mark.parametrize("head", HEADS)
def test_activations(models, images, head, build):
    logits = models[head](images).numpy()
    assert np.ptp(logits) > 1e-2
    sigmoid, softmax = (build(head, activation=name) for name in ("sigmoid", "softmax"))
    for model in (sigmoid, softmax):
        model.set_weights(models[head].get_weights())
    np.testing.assert_allclose(sigmoid(images), 1 / (1 + np.exp(-logits)), rtol=1e-4)
    powers = np.exp(logits)
    np.testing.assert_allclose(softmax(images), powers / powers.sum(1, keepdims=True), rtol=1e-4)
    with pytest.raises(InputError, match=r"`activation` 'sofmax' .*did you mean `softmax`"):
        build(head, activation="sofmax")


@needs_half_precision
@pytest.mark.parametrize("head", HEADS)
def test_mixed_precision(models, images, padded, head, build):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build(head)
        half.set_weights(models[head].get_weights())
        outputs = half.to_train()([images, padded, LABELS] if head in ("acol", "seam") else [images, padded])
        assert half.features.dtype == "float16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(x.dtype == tf.float32 for x in (half.outputs[0], *keras.tree.flatten(outputs)))
    np.testing.assert_allclose(half(images), models[head](images), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("head", [head for head in HEADS if head != "seam"])  # which has its own
@pytest.mark.parametrize(
    ("activation", "labels"),
    [
        (None, [[1, 1, 0], [0, 1, 1]]),
        pytest.param("softmax", [[0, 0, 1], [1, 0, 0]], marks=pytest.mark.slow),
    ],
    ids=["several", "one"],
)
def test_training_lowers_the_loss(images, head, activation, labels, build):
    options = {"dropout": 0.0} if head == "nin" else {}
    model = build(head, activation=activation, **options)
    trained = model.to_train()
    # Eager: a few steps cost less than a trace; the stage's test has the traced ones.
    trained.compile(keras.optimizers.Adam(0.003), loss=model.training_loss(), run_eagerly=True)
    valid = np.ones((2, 64, 96), "float32")
    one = tf.data.Dataset.from_tensors(((images, valid), np.array(labels, "float32")))
    start = trained.evaluate(one.map(model.example), verbose=0, return_dict=True)
    trained.fit(one.map(model.example).repeat(8), epochs=1, verbose=0, shuffle=False)
    last = trained.evaluate(one.map(model.example), verbose=0, return_dict=True)
    assert set(start) == ({"loss", "branch_a_loss", "branch_b_loss"} if head == "acol" else {"loss"})
    for part in start:
        assert last[part] < 0.7 * start[part], (part, start, last)


def test_the_losses_by_hand(models, build):
    logits, labels = np.array([[1.0, -2.0, 0.5]]), np.array([[1.0, 0.0, 1.0]])
    several = np.mean(np.log1p(np.exp(np.array([-1.0, -2.0, -0.5]))))
    np.testing.assert_allclose(models["nin"].training_loss()(labels, logits), several, rtol=1e-5)
    one = -np.log(np.exp(0.5) / np.exp([1.0, -2.0, 0.5]).sum())
    loss = build("nin", activation="softmax").training_loss()
    np.testing.assert_allclose(loss(np.array([[0.0, 0.0, 1.0]]), logits), one, rtol=1e-5)


def test_unknown_options_and_values(build):
    with pytest.raises(
        InputError, match="classifier `acol` has no option `erase_treshold`; did you mean `erase_thr"
    ):
        build("acol", erase_treshold=0.5)
    with pytest.raises(InputError, match="classifier `gap` has no option `dropout`"):
        build("gap", dropout=0.5)
    with pytest.raises(InputError, match="unknown classifier `nni`; did you mean `nin`"):
        classifiers.options_of("nni")
    for head, option, value in (
        ("nin", "channels", 0),
        ("nin", "channels", 2.5),
        ("nin", "dropout", 1.0),
        ("nin", "rate", 0),
        ("acol", "branch_channels", "wide"),
        ("acol", "erase_threshold", 1),
        ("acol", "erase_threshold", 0),
        ("acol", "rate", True),
    ):
        with pytest.raises(InputError, match=f"`{option}` must be .*; got {value!r}; try"):
            build(head, **{option: value})
    assert classifiers.options_of("acol")["erase_threshold"] == 0.6
