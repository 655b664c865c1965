"""torchvision's networks: equal to torchvision's own, and what every segmenter does."""

import numpy as np
import pytest
import skimage
from examples.segmenter_checks import check_any_size, check_head, check_saving
from references import torchvision_networks as reference

from wsseg import segmenters
from wsseg.imported_weights.importing import assign, import_weights
from wsseg.imported_weights.torchvision_tensors import SOURCES
from wsseg.saved_models import load_model

CLASSES = reference.NUM_CLASSES
PARAMETERS = {"fcn_resnet50": 35_322_218, "deeplab_v3_resnet50": 42_004_074}  # torchvision's `num_params`

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name.startswith("fcn") else name
        for name in reference.NAMES
    ],
)
def model(request):
    return segmenters.create(request.param, num_classes=CLASSES)


def results(model, image):
    images = image[None].astype("float32")
    return {"out": model(images)[0].numpy(), "aux": model.auxiliary(images)[0].numpy()}


def test_same_logits_as_torchvision_from_the_same_weights(model):
    tensors = SOURCES[model.network].tensors(CLASSES, auxiliary=True)
    assign(model, tensors, reference.random_state({tensor.name: tensor.shape for tensor in tensors}))
    for head, logits in results(model, reference.photograph()).items():
        expected = reference.sample(f"{model.network}/{head}")
        assert expected.std((0, 1)).mean() > 0.05 * np.abs(expected).max()  # it depends on the image
        sampled = logits[:: reference.STEP, :: reference.STEP]
        np.testing.assert_allclose(sampled, expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


def test_published_parameter_count(model):
    # What torchvision counts: all that trains, second head included.
    trainable = model.with_auxiliary().trainable_variables
    assert sum(int(np.prod(variable.shape)) for variable in trainable) == PARAMETERS[model.network]


def test_stride_8_by_torchvisions_dilation(model):
    # The first block of a dilated stage keeps the dilation before it (torchvision, `ResNet._make_layer`).
    for block, rate in {"layer2_3": 1, "layer3_0": 1, "layer3_1": 2, "layer3_5": 2}.items():
        assert model.get_layer(f"{block}_conv2").dilation_rate == (rate, rate)
    for block, rate in {"layer4_0": 2, "layer4_1": 4, "layer4_2": 4}.items():
        assert model.get_layer(f"{block}_conv2").dilation_rate == (rate, rate)
    assert {model.get_layer(f"layer{n}_0_conv2").strides for n in (3, 4)} == {(1, 1)}


def test_any_size_and_its_head(model):
    check_any_size(model, CLASSES, sizes=((64, 96), (33, 50)))
    check_head(model)


@pytest.mark.slow
def test_saving_keeps_both_heads(model, tmp_path):
    loaded = check_saving(model, tmp_path)
    image = reference.photograph()[:64, :64]
    np.testing.assert_array_equal(results(loaded, image)["aux"], results(model, image)["aux"])


@pytest.mark.slow
def test_fixed_size_without_a_second_head():
    model = segmenters.create("fcn_resnet50", num_classes=3, input_size=(64, 97), auxiliary=False)
    assert model.auxiliary is None and model.output_shape == (None, 64, 97, 3)
    assert model.get_layer("layer4_2_out").output.shape == (None, 8, 13, 2048)
    imported = {tensor.layer for tensor in SOURCES["fcn_resnet50"].tensors(3)}
    assert imported == {layer.name for layer in model.layers if layer.weights}


@reference.needs_torchvision
@pytest.mark.parametrize("name", reference.NAMES)
def test_parity_with_torchvision_on_photographs(name, tmp_path):
    """From torchvision's `.pth` to the segmenter's logits; the relative difference is printed (`pytest -s`)."""
    sizes = {(160, 224): skimage.data.chelsea(), (161, 225): skimage.data.astronaut()}
    images = [
        np.rint(255 * skimage.transform.resize(image, size, anti_aliasing=True)).astype("uint8")
        for size, image in sizes.items()
    ]
    expected = reference.run(name, tmp_path, images)
    import_weights(tmp_path / "state.pth", name, tmp_path / "imported.keras")
    model = load_model(tmp_path / "imported.keras")
    for image, there in zip(images, expected):
        here = results(model, image)
        for head in ("out", "aux"):
            difference = np.abs(here[head] - there[head]).max() / np.abs(there[head]).max()
            print(f"{name} {head} {image.shape[:2]}: relative difference {difference:.1e}")
            assert difference < 1e-4
