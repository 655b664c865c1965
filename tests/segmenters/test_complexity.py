"""Parameters and multiply-adds: published counts, hand-worked layers, and nothing allocated."""

import keras
import pytest

from wsseg.backbones.shapes_only import shapes_only
from wsseg.cli import main
from wsseg.segmenters.complexity import cost, multiply_adds


@pytest.mark.parametrize(
    ("application", "published"),
    # Multiply-adds at 224 px: He 2016 table 1 (3.8e9), Howard 2017 table 8 (569e6), Sandler 2018 table 4 (300e6),
    # Tan 2019 table 2 (0.39e9).
    [("ResNet50", 3.8e9), ("MobileNet", 569e6), ("MobileNetV2", 300e6), ("EfficientNetB0", 0.39e9)],
)
def test_published_multiply_adds(application, published):
    with shapes_only():
        model = getattr(keras.applications, application)(weights=None, input_shape=(224, 224, 3))
    assert multiply_adds(model) == pytest.approx(published, rel=0.02)


def test_layers_by_hand():
    image = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)  # 4 x 3 x (9 x 3 x 4)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 4 x 3 x (9 x 4)
    x = keras.layers.Conv2DTranspose(2, 4, strides=2, padding="same")(x)  # 4 x 3 x (16 x 2 x 4)
    shared = keras.layers.Conv2D(2, 1)  # 8 x 6 x 4, twice
    x = shared(shared(x))
    x = keras.layers.SeparableConv2D(3, 3, padding="same")(x)  # 8 x 6 x (9 x 2 + 2 x 3)
    x = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x))  # 15
    expected = 12 * 108 + 12 * 36 + 12 * 128 + 2 * 48 * 4 + 48 * 24 + 15
    assert multiply_adds(keras.Model(image, x)) == expected


@pytest.mark.parametrize(
    ("name", "stride"),
    [("segnet", 32), ("unet", 16), ("deeplab_v1", 8), ("fcn_8s", 32), ("pspnet", 8), ("fpn", 32)],
)
def test_output_stride_is_that_of_the_coarsest_features(name, stride):
    assert cost(name, 64).output_stride == stride


def test_counting_allocates_nothing():
    # 134 M parameters would be half a gigabyte.
    import tracemalloc

    tracemalloc.start()
    found = cost("fcn_8s", 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.parameters > 134e6 and peak < 100e6


def test_command(capsys):
    assert main(["models", "deeplab_v3_plus", "--backbone", "mobilenet_0.25", "--size", "64"]) == 0
    heading, row = capsys.readouterr().out.strip().splitlines()
    assert heading.split()[:3] == ["network", "backbone", "parameters"]
    cells = row.split()
    expected = cost("deeplab_v3_plus", 64, backbone="mobilenet_0.25")
    assert cells[:4] == ["deeplab_v3_plus", "mobilenet_0.25", f"{expected.parameters / 1e6:.2f}", "M"]
    assert main(["models", "deeplab"]) == 2
    assert "unknown segmenter `deeplab`" in capsys.readouterr().err
