"""Importing: another network, other class counts, bad names, and whole files that networks start from."""

import numpy as np
import pytest
from references import torchvision_networks as reference
from safetensors.numpy import save_file

from wsseg import backbones
from wsseg.backbones.vgg_dense import read_dense
from wsseg.cli import main
from wsseg.errors import InputError
from wsseg.imported_weights import importing
from wsseg.imported_weights.torchvision_tensors import SOURCES
from wsseg.saved_models import load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def shapes(name, num_classes=None, auxiliary=False):
    source = SOURCES[name]
    return {tensor.name: tensor.shape for tensor in source.tensors(num_classes or 1000, auxiliary)}


class AcceptedError(Exception):
    """The state dict fits: the network of these arguments would be built now."""


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Return a function that imports a state dict of given shapes, without a file and without memory."""

    def build(*arguments):
        raise AcceptedError(arguments)

    def run(shapes, network, num_classes=None, out=None):
        state = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
        monkeypatch.setattr(importing, "read_state_dict", lambda path: state)
        monkeypatch.setattr(importing, "_build", build)
        suffix = ".keras" if SOURCES[network].segments else ".weights.h5"
        importing.import_weights("FILE", network, out or tmp_path / f"out{suffix}", num_classes)

    return run


OTHERS = [
    ("deeplab_v3_resnet50", "fcn_resnet50", r"no tensor `classifier\.0\.weight`"),
    ("fcn_resnet50", "deeplab_v3_resnet50", r"no tensor `classifier\.0\.convs\.0\.0\.weight`"),
    ("fcn_resnet50", "fcn_resnet101", r"no tensor `backbone\.layer3\.6\.conv1\.weight`"),
    ("fcn_resnet101", "fcn_resnet50", r"a tensor `backbone\.layer3\.6\.conv1\.weight`, which the network"),
    ("resnet50_torch", "fcn_resnet50", r"no tensor `backbone\.conv1\.weight`; its first is `conv1\.weight`"),
    ("resnet101_torch", "resnet50_torch", r"a tensor `layer3\.6\.conv1\.weight`, which the network lacks"),
    ("vgg16_torch", "resnet50_torch", r"no tensor `conv1\.weight`; its first is `features\.0\.weight`"),
]


@pytest.mark.parametrize(("file", "network", "first"), OTHERS)
def test_another_network_is_told_by_its_first_different_tensor(given, file, network, first):
    with pytest.raises(
        InputError, match=rf"FILE does not fit `{network}`: it has {first}.*; it fits `{file}`$"
    ):
        given(shapes(file, 21, SOURCES[file].segments), network)


def test_a_tensor_of_another_shape_is_named(given):
    changed = shapes("fcn_resnet50", 21) | {"backbone.layer2.0.conv2.weight": (128, 64, 3, 3)}
    expected = (
        r"`backbone\.layer2\.0\.conv2\.weight` has shape \(128, 64, 3, 3\), expected \(128, 128, 3, 3\); give"
    )
    with pytest.raises(InputError, match=expected):
        given(changed, "fcn_resnet50")


def test_the_second_heads_classes_must_be_the_firsts(given):
    changed = shapes("fcn_resnet50", 21, True) | {"aux_classifier.4.weight": (5, 256, 1, 1)}
    with pytest.raises(
        InputError, match=r"aux_classifier\.4\.weight` has shape \(5, 256, 1, 1\), expected \(21,"
    ):
        given(changed, "fcn_resnet50")


def test_other_class_counts_are_named(given):
    with pytest.raises(InputError, match=r"FILE has 21 classes \(tensor `classifier\.4\.weight`\), not 4"):
        given(shapes("fcn_resnet50", 21, True), "fcn_resnet50", num_classes=4)
    with pytest.raises(InputError, match=r"FILE has 7 classes \(tensor `fc\.weight`\), not 1000"):
        given(shapes("resnet50_torch", 7), "resnet50_torch", num_classes=1000)


def test_wrong_names(given, tmp_path):
    with pytest.raises(InputError, match=r"out\.h5 must be named \*\.keras for `fcn_resnet50`"):
        given({}, "fcn_resnet50", out=tmp_path / "out.h5")
    with pytest.raises(InputError, match=r"must be named \*\.weights\.h5 for `vgg16_torch`"):
        given({}, "vgg16_torch", out=tmp_path / "out.keras")
    with pytest.raises(
        InputError, match=r"unknown network `resnet51_torch` .* did you mean `resnet50_torch`"
    ):
        importing.import_weights("FILE", "resnet51_torch", tmp_path / "out.keras")


@pytest.mark.parametrize("auxiliary", [False, True])
def test_the_network_has_a_second_head_if_the_file_has(given, auxiliary):
    with pytest.raises(AcceptedError) as caught:
        given(shapes("fcn_resnet50", 7, auxiliary), "fcn_resnet50", num_classes=7)
    assert caught.value.args[0] == ("fcn_resnet50", 7, auxiliary)


@pytest.mark.slow
def test_from_the_command_to_a_segmenter_that_loads(tmp_path, capsys):
    save_file(reference.random_state(shapes("fcn_resnet50", 21, True)), tmp_path / "state.safetensors")
    out = tmp_path / "new folder" / "imported.keras"
    words = ["import-weights", tmp_path / "state.safetensors", "--network", "fcn_resnet50", "--out", out]
    assert main([str(word) for word in [*words, "--classes", "21"]]) == 0
    assert "fcn_resnet50, 21 classes, the auxiliary head too" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["imported.keras"]
    model, images = load_model(out), reference.photograph()[None].astype("float32")
    for head, logits in {"out": model(images), "aux": model.auxiliary(images)}.items():
        expected = reference.sample(f"fcn_resnet50/{head}")
        sampled = logits[0].numpy()[:: reference.STEP, :: reference.STEP]
        np.testing.assert_allclose(sampled, expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


def test_the_message_says_what_is_in_the_file():
    assert importing.Imported("x.keras", 21, False).describe().startswith("21 classes, no auxiliary head")
    assert (
        importing.Imported("x.weights.h5", 9, None).describe()
        == "9 classes; give it as the backbone's `weights`"
    )


def features(network, file, folder):
    """Import a classifier from reference weights; return its backbone's features of the photograph."""
    save_file(reference.random_state(shapes(network)), folder / "state.safetensors")
    done = importing.import_weights(folder / "state.safetensors", network, folder / file)
    assert (done.num_classes, done.auxiliary) == (1000, None)
    model = backbones.create(network, weights=folder / file)
    return model(reference.photograph()[None].astype("float32"))["level_5"][0].numpy()


@pytest.mark.slow
def test_a_resnet_classifier_becomes_a_backbones_weights(tmp_path):
    found = features("resnet50_torch", "imported.weights.h5", tmp_path)[..., :: reference.STEP]
    expected = reference.sample("resnet50/features")
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "tolerance"), [("vgg16_torch", 2e-5), ("vgg16", 1e-3)])
def test_a_vgg_classifier_becomes_a_backbones_weights_and_its_dense_layers(tmp_path, network, tolerance):
    """The tolerance of `vgg16` is for the image's border (`for_caffe_images`)."""
    found = features(network, "imported.weights.h5", tmp_path)[..., :: reference.STEP]
    expected = reference.sample("vgg16/features")
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)
    fc1, fc2 = read_dense(tmp_path / "imported.weights.h5")
    state = reference.random_state({"classifier.0.weight": (4096, 25088), "classifier.3.bias": (4096,)})
    as_convolution = state["classifier.0.weight"].reshape(4096, 512, 7, 7)
    np.testing.assert_array_equal(
        fc1.kernel.reshape(7, 7, 512, 4096)[2, 5, 100], as_convolution[:, 100, 2, 5]
    )
    np.testing.assert_array_equal(fc2.bias, state["classifier.3.bias"])
