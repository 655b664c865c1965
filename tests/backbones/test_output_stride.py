"""`with_output_stride` on small networks of every construction: dense output against original."""

import keras
import numpy as np
import pytest
from keras import layers as kl

from wsseg.backbones import with_output_stride
from wsseg.errors import InputError


def network(body, size=32):
    image = keras.Input((size, size, 3), name="image")
    model = keras.Model(image, body(image), name="network")
    rng = np.random.default_rng(0)
    for layer in model.layers:
        positive = isinstance(layer, kl.BatchNormalization)
        layer.set_weights(
            [
                rng.uniform(0.5, 1.5, w.shape) if positive else rng.normal(0, 0.5, w.shape)
                for w in layer.get_weights()
            ]
        )
    return model


def outputs(model, dense, side=32):
    x = np.random.default_rng(1).normal(0, 1, (2, side, side, 3)).astype("float32")
    return np.array(model(x)), np.array(dense(x))


def assert_dense_holds_original(model, output_stride, oversampling, side=32):
    """Check equality at each position of the original, borders too."""
    original, dense = outputs(model, with_output_stride(model, output_stride), side)
    rows, columns = original.shape[1:3]
    assert original.std() > 0.01  # a map of one value would be equal to anything
    assert dense.shape[1] > original.shape[1]
    taken = dense[:, ::oversampling, ::oversampling][:, :rows, :columns]
    np.testing.assert_allclose(taken, original, rtol=1e-4, atol=1e-5 * np.abs(original).max())
    return dense


def conv(filters, kernel, stride=1, padding="same", **options):
    return kl.Conv2D(filters, kernel, strides=stride, padding=padding, activation="tanh", **options)


@pytest.mark.parametrize("size", [32, 33, None])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
def test_same_convolutions_then_an_even_kernel(kernel, size):
    def body(x):
        x = conv(4, kernel, 2)(conv(4, 3, 2)(x))
        return conv(2, 4)(kl.MaxPooling2D(3, 2, padding="same")(x))

    dense = assert_dense_holds_original(network(body, size), 2, 4, side=size or 32)
    assert dense.shape[1] == (17 if size == 33 else 16)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
def test_valid_convolutions(kernel):
    def body(x):
        return conv(2, 3)(conv(4, kernel, 2, "valid")(conv(4, 3, 2)(x)))

    original = 16 // 2 - (kernel - 1) // 2  # (16 - k) // 2 + 1
    dense = assert_dense_holds_original(network(body), 2, 2)
    assert dense.shape[1] == 2 * original


@pytest.mark.parametrize(
    ("kernel", "pads"),
    [
        (3, ((0, 1), (0, 1))),
        (3, ((0, 1), (1, 1))),
        (5, ((1, 2), (1, 2))),
        (5, ((2, 2), (1, 2))),
        (4, ((1, 1), (1, 1))),
    ],
)
@pytest.mark.parametrize("size", [32, None])
def test_explicit_zero_padding_before_a_valid_convolution(kernel, pads, size):
    def body(x):
        x = conv(4, 3, 2)(x)
        for _ in range(2):
            x = kl.DepthwiseConv2D(kernel, strides=2)(kl.ZeroPadding2D(pads)(x))
        return conv(2, 3, padding="valid")(kl.ZeroPadding2D(1)(x))

    dense = assert_dense_holds_original(network(body, size), 2, 4)
    assert dense.shape[1:3] == (16, 16)


def test_resnet_stem_down_to_every_pixel():
    def body(x):
        x = conv(4, 7, 2, "valid")(kl.ZeroPadding2D(3)(x))
        x = kl.MaxPooling2D(3, 2)(kl.ZeroPadding2D(1)(kl.ReLU()(x)))
        return conv(2, 3)(kl.MaxPooling2D(3, 1, padding="same")(kl.MaxPooling2D(2)(x)))

    model = network(body)
    for output_stride, oversampling in ((4, 2), (2, 4), (1, 8)):
        dense = assert_dense_holds_original(model, output_stride, oversampling)
        assert dense.shape[1] == 32 // output_stride
    twice = with_output_stride(with_output_stride(model, 4), 1)
    np.testing.assert_array_equal(*outputs(with_output_stride(model, 1), twice))


def test_residual_branches_stay_of_one_size():
    def body(x):
        x = conv(4, 3, 2)(x)
        main = kl.SeparableConv2D(4, 3, strides=2, padding="same")(kl.BatchNormalization()(x))
        return kl.Add()([main, kl.Conv2D(4, 1, strides=2)(x)]) + conv(4, 3, 2)(x)

    assert_dense_holds_original(network(body), 2, 2)


@pytest.mark.parametrize("size", [32, None])
def test_nested_networks_are_rewritten(size):
    inner_input = keras.Input((size and size // 2, size and size // 2, 4), name="inner_input")
    inner = keras.Model(inner_input, conv(4, 3)(conv(4, 3, 2)(inner_input)), name="inner")
    down = keras.Sequential([kl.LayerNormalization(), kl.Conv2D(4, 2, strides=2)], name="down")
    shared = keras.Sequential([conv(4, 3)], name="shared")

    def body(x):
        return conv(2, 3)(shared(shared(down(inner(conv(4, 3, 2)(x))))))

    assert_dense_holds_original(network(body, size), 2, 4)


def test_constant_gate_passes_and_true_gate_is_of_the_dense_statistic():
    def body(x):
        x = conv(4, 3, 2)(conv(4, 3, 2)(x))
        gate = kl.Reshape((1, 1, 4))(kl.GlobalAveragePooling2D()(x))
        return kl.Multiply()([x, kl.Conv2D(4, 1, activation="sigmoid", name="gate")(gate)])

    model = network(body)
    original, dense = outputs(model, with_output_stride(model, 2))
    assert not np.allclose(original, dense[:, ::2, ::2], atol=1e-5)
    gate = model.get_layer("gate")
    gate.set_weights([0 * gate.get_weights()[0], gate.get_weights()[1]])
    assert_dense_holds_original(model, 2, 2)


def test_unchanged_stride_is_an_equal_copy_with_weights_of_its_own():
    model = network(lambda x: kl.MaxPooling2D(2)(conv(4, 3, 2)(x)))
    same = with_output_stride(model, 4)
    original, copied = outputs(model, same)
    np.testing.assert_array_equal(original, copied)
    assert [layer.name for layer in same.layers] == [layer.name for layer in model.layers]
    same.set_weights([0 * w for w in same.get_weights()])
    np.testing.assert_array_equal(outputs(model, same)[0], original)


def test_outputs_keep_their_structure_and_sequential_is_taken():
    model = network(lambda x: {"near": conv(2, 3, 2)(x), "far": [conv(2, 3, 2)(conv(2, 3, 2)(x))]})
    assert with_output_stride(model, 2).output["far"][0].shape == (None, 16, 16, 2)
    sequential = keras.Sequential([keras.Input((32, 32, 3)), conv(2, 3, 2), conv(2, 3, 2)])
    assert with_output_stride(sequential, 2).output_shape == (None, 16, 16, 2)


def test_normalization_constants_are_copied():
    def body(x):
        return conv(2, 3, 2)(conv(2, 3, 2)(kl.Normalization(name="normalization")(x)))

    model = network(body)
    layer = model.get_layer("normalization")
    layer.set_weights([np.full(3, 0.5), np.full(3, 4.0), np.array(0)])
    layer.finalize_state()
    assert_dense_holds_original(model, 2, 2)


@keras.saving.register_keras_serializable(package="tests")
class Doubling(kl.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize(
    ("body", "layer"),
    [
        (lambda x: kl.Conv2DTranspose(2, 2, strides=2, name="up")(conv(2, 3, 2)(x)), "up"),
        (lambda x: kl.UpSampling2D(name="up")(conv(2, 3, 2)(x)), "up"),
        (lambda x: kl.AveragePooling2D(2, name="mean")(x), "mean"),
        (lambda x: kl.Flatten(name="flat")(conv(2, 3, 2)(x)), "flat"),
        (lambda x: Doubling(name="own")(conv(2, 3, 2)(x)), "own"),
        (lambda x: conv(2, 3, (2, 1), name="oblong")(x), "oblong"),
        (lambda x: kl.Concatenate(name="both")([x, kl.UpSampling2D()(conv(2, 3, 2)(x))]), "up_sampling2d"),
    ],
)
def test_layers_that_cannot_be_dilated_are_named(body, layer):
    with pytest.raises(InputError, match=f"layer `{layer}"):
        with_output_stride(network(body), 1)


def test_a_layer_shared_between_strides_is_named():
    shared = conv(3, 3, 2, name="shared")
    with pytest.raises(InputError, match=r"`shared`.*called several times"):
        with_output_stride(network(lambda x: shared(shared(x))), 2)


def test_own_layers_can_be_declared_pointwise():
    model = network(lambda x: conv(2, 3)(Doubling()(conv(2, 3, 2)(x))))
    dense = with_output_stride(model, 1, pointwise=["Doubling"])
    original, taken = outputs(model, dense)
    np.testing.assert_allclose(taken[:, ::2, ::2], original, rtol=1e-4, atol=1e-5)


def test_strides_that_the_network_does_not_pass_are_refused():
    model = network(lambda x: conv(2, 3, 2)(conv(2, 3, 4)(x)))
    with pytest.raises(InputError, match=r"can't be 2; choose one of: 1, 4, 8"):
        with_output_stride(model, 2)
    with pytest.raises(InputError, match=r"`output_stride` of `network` can't be 16"):
        with_output_stride(model, 16)
