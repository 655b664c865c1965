"""The table of torchvision's tensors: published counts, torchvision's own names and shapes, order of axes."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from references import torchvision_networks as reference

from wsseg.imported_weights.torchvision_tensors import SOURCES, to_keras

STATISTICS = ("running_mean", "running_var")

# `num_params` of torchvision's weights: 21 classes with second head, or 1000 classes.
PARAMETERS = {
    "fcn_resnet50": 35_322_218,
    "fcn_resnet101": 54_314_346,
    "deeplab_v3_resnet50": 42_004_074,
    "deeplab_v3_resnet101": 60_996_202,
    "resnet50_torch": 25_557_032,
    "resnet101_torch": 44_549_160,
    "vgg16_torch": 138_357_544,
    "vgg16": 138_357_544,
}


def tensors(name):
    segments = SOURCES[name].segments
    return SOURCES[name].tensors(21 if segments else 1000, auxiliary=segments)


@pytest.mark.parametrize("name", SOURCES)
def test_published_parameter_count(name):
    trained = [tensor for tensor in tensors(name) if not tensor.name.endswith(STATISTICS)]
    assert sum(math.prod(tensor.shape) for tensor in trained) == PARAMETERS[name]


def test_each_weight_is_set_once():
    for name in SOURCES:
        places = [(tensor.layer, tensor.index) for tensor in tensors(name)]
        assert len(set(places)) == len(places)


def test_without_the_second_head():
    found = SOURCES["fcn_resnet50"].tensors(21)
    trained = sum(math.prod(tensor.shape) for tensor in found if not tensor.name.endswith(STATISTICS))
    # A 3x3 convolution of 1024 to 256 channels, its batch norm, 21 scores with bias.
    assert PARAMETERS["fcn_resnet50"] - trained == 9 * 1024 * 256 + 2 * 256 + 21 * 256 + 21


SHAPES = """
import json, torch, torchvision
from torchvision.models import segmentation
shapes = {}
with torch.device("meta"):
    for name in ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"):
        model = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
        shapes[name.replace("v3", "_v3")] = model
    for name in ("resnet50", "resnet101", "vgg16"):
        shapes[name + "_torch"] = getattr(torchvision.models, name)(weights=None)
    shapes["vgg16"] = shapes["vgg16_torch"]
found = {name: {k: list(v.shape) for k, v in m.state_dict().items()} for name, m in shapes.items()}
print(json.dumps(found))
"""


@reference.needs_torchvision
def test_names_and_shapes_are_torchvisions_own():
    # In a process of its own: TensorFlow and torchvision can't always share one.
    done = subprocess.run([sys.executable, "-c", SHAPES], check=True, capture_output=True, text=True)
    for name, shapes in json.loads(done.stdout).items():
        expected = {k: tuple(v) for k, v in shapes.items() if not k.endswith("num_batches_tracked")}
        assert {tensor.name: tensor.shape for tensor in tensors(name)} == expected


def test_dense_layer_on_a_flattened_map():
    rng = np.random.default_rng(0)
    weight, features_chw = rng.normal(size=(5, 4 * 2 * 3)), rng.normal(size=(4, 2, 3))
    expected = weight @ features_chw.ravel()
    features_hwc = features_chw.transpose(1, 2, 0)
    np.testing.assert_allclose(features_hwc.ravel() @ to_keras(weight, (4, 2, 3)), expected)
    assert not np.allclose(features_hwc.ravel() @ to_keras(weight), expected)


def test_convolution_and_vector():
    rng = np.random.default_rng(0)
    weight, patch_chw = rng.normal(size=(5, 4, 2, 3)), rng.normal(size=(4, 2, 3))
    expected = [(kernel * patch_chw).sum() for kernel in weight]
    found = np.einsum("hwco,chw->o", to_keras(weight), patch_chw)
    np.testing.assert_allclose(found, expected)
    assert to_keras(np.arange(3.0)).tolist() == [0, 1, 2]
