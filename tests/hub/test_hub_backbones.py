"""keras-hub's networks wherever a backbone's name is taken."""

import shutil

import keras
import numpy as np
import pytest

hub = pytest.importorskip("keras_hub")

from hub.tiny import CLIP, TEXTS, images, shake  # noqa: E402

from wsseg import affinity, backbones, classifiers, explainers, segmenters  # noqa: E402
from wsseg.backbones.hub import architecture  # noqa: E402
from wsseg.errors import InputError  # noqa: E402
from wsseg.explainers.multi_scale import MultiScale  # noqa: E402
from wsseg.grid import Grid  # noqa: E402
from wsseg.layers.hub_architecture import Architecture  # noqa: E402
from wsseg.saved_models import load_model  # noqa: E402

DINO = f"hub:{TEXTS['dinov2']}"


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A preset's folder, as a user has it on disk, with a preprocessing of its own."""
    folder = tmp_path_factory.mktemp("presets") / "dinov2_tiny"
    network = Architecture.parse(TEXTS["registers"]).build()
    shake(network, seed=3)
    network.save_to_preset(str(folder))
    converter = hub.layers.DINOV2ImageConverter(
        image_size=(42, 42), scale=[0.02, 0.01, 0.03], offset=[-1.0, 0.0, 1.0]
    )
    converter.save_to_preset(str(folder))
    return folder


def test_levels_and_strides():
    network = backbones.create(DINO)
    levels = network(images((28, 70)))
    assert {level: found.shape for level, found in levels.items()} == dict.fromkeys(
        ("level_3", "level_4", "level_5"), (2, 2, 5, 16)
    )
    assert backbones.level_strides(DINO) == dict.fromkeys(levels, 14)
    assert backbones.level_strides(DINO, 16) == dict.fromkeys(levels, 16)
    network = backbones.create(DINO, output_stride=16, input_size=(64, 96))
    assert network.output["level_5"].shape == (None, 4, 6, 16)


def test_the_image_is_preprocessed_as_its_family_wants():
    image = np.broadcast_to(np.array([123.675, 116.28, 103.53], "float32"), (1, 28, 28, 3))  # ImageNet's mean
    network = backbones.create(DINO)
    found = keras.Model(network.inputs, network.get_layer("image_preprocessing").output)([image])
    np.testing.assert_allclose(found, np.zeros(found.shape), atol=1e-5)


def test_a_preset_gives_architecture_preprocessing_and_weights(preset):
    name = f"hub:{preset}"
    network = backbones.create(name, weights="preset")
    pixels = images((42, 42))
    rescaled = pixels * np.array([0.02, 0.01, 0.03], "float32") + np.array([-1, 0, 1], "float32")
    expected = hub.models.Backbone.from_preset(str(preset))({"images": rescaled})[:, 3:]
    np.testing.assert_allclose(
        network(pixels)["level_5"], np.reshape(expected, (2, 3, 3, 16)), rtol=1e-4, atol=1e-4
    )
    again = backbones.create(network.full_name, weights=str(preset))  # by its text, and from the folder
    np.testing.assert_array_equal(again(pixels)["level_5"], network(pixels)["level_5"])
    random = backbones.create(name)
    assert not np.allclose(random(pixels)["level_5"], network(pixels)["level_5"], atol=0.1)
    assert random.full_name == network.full_name and not network.trainable_weights


def test_a_preset_of_images_and_text_gives_its_image_encoder(tmp_path):
    encoder = Architecture.parse(TEXTS["clip"]).build()
    text = hub.models.CLIPTextEncoder(20, 8, 8, 1, 2, 16, max_sequence_length=6)
    whole = hub.models.CLIPBackbone(encoder, text, 12)
    shake(whole)
    whole.save_to_preset(str(tmp_path / "clip"))
    network = backbones.create(f"hub:{tmp_path / 'clip'}", weights="preset")
    mine = network.get_layer("hub_features").encoder
    for found, expected in zip(mine.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_trained_classifier_needs_its_preset_no_more(preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "moved")
    model = classifiers.create("gap", backbone=f"hub:{folder}", num_classes=3, weights="preset")
    before = model.get_layer("hub_features").encoder.get_weights()
    network = model.to_train()
    network.compile(keras.optimizers.Adam(0.05), model.training_loss())
    labels = np.array([[1, 0, 1], [0, 1, 0]], "float32")
    data = (images((48, 48)), np.ones((2, 48, 48), "float32"))
    history = network.fit(data, labels, epochs=8, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
    for found, expected in zip(model.get_layer("hub_features").encoder.get_weights(), before):
        np.testing.assert_array_equal(found, expected)  # frozen

    model.save(tmp_path / "classifier.keras")
    shutil.rmtree(folder)
    architecture.__globals__["_of_preset"].cache_clear()
    loaded = load_model(tmp_path / "classifier.keras")
    np.testing.assert_array_equal(loaded(data[0]), model(data[0]))
    finer = loaded.at_output_stride(8)
    assert finer.features.shape[1:] == (None, None, 16)
    assert finer.with_validity()(data).shape == (2, 3)
    assert keras.Model(finer.inputs, finer.features)([data[0]]).shape == (2, 6, 6, 16)


def test_class_maps_lie_where_the_patches_are():
    model = classifiers.create("gap", backbone=DINO, num_classes=2, output_stride=16)
    explainer = explainers.create("cam", model=model)
    assert explainer.layer == "hub_features"
    assert explainer.grid == Grid((16.0, 16.0), (7.5, 7.5))
    pixels = images((64, 96))
    features = keras.Model(model.inputs, model.features)([pixels])
    expected = np.einsum("bhwc,c->bhw", features, model.head.get_weights()[0][:, 1])
    np.testing.assert_allclose(explainer.raw(pixels, [1, 1]), expected, rtol=1e-4, atol=1e-5)
    sums = MultiScale(explainer, (1.0, 0.5), map_stride=4).raw(pixels, np.array([[0, 1], [1, -1]]))
    assert sums.shape == (2, 2, 16, 24) and not sums[1, 1].any() and np.isfinite(sums).all()
    assert explainers.create("grad_cam", model=model)(pixels, [0, 1]).shape == (2, 64, 96)


def test_a_segmenter_on_the_last_level(tmp_path):
    model = segmenters.create("deeplab_v3", num_classes=3, backbone=CLIP, output_stride=16, channels=8)
    assert 48 in model.sizes and 50 not in model.sizes
    assert model.output_stride == 16
    logits = model(images((32, 48)))
    assert logits.shape == (2, 32, 48, 3)
    names = {layer.name for layer in model.layers if not layer.trainable}
    assert names == {"hub_features"}
    model.save(tmp_path / "segmenter.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "segmenter.keras")(images((32, 48))), logits)


def test_affinities_of_the_last_level():
    model = affinity.create("psa", backbone=CLIP, output_stride=8)
    assert model(images((32, 48))).shape == (2, 4, 6, 448)


@pytest.mark.parametrize(
    "make",
    [
        lambda: segmenters.create("deeplab_v3_plus", num_classes=3, backbone=CLIP),
        lambda: affinity.create("irn", backbone=CLIP, output_stride=16),
    ],
)
def test_a_finer_level_is_not_there(make):
    with pytest.raises(InputError, match=r"no `level_2`; use a head or segmenter that reads its last level"):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hub:dinov2_smal"}, "did you mean `dinov2_small`"),
        ({"name": "hub:dinov4(patch_size=14)"}, "unknown family `dinov4`; did you mean `dinov3`"),
        ({"name": "hub:no/such/folder"}, "neither a preset of keras-hub nor a folder"),
        ({"name": DINO, "weights": "imagenet"}, 'no ImageNet weights; use "preset"'),
        ({"name": DINO, "weights": "preset"}, "names an architecture, not a preset"),
        ({"name": DINO, "input_size": (64, 64)}, r"multiples of 14.*try \(56, 56\) or \(70, 70\)"),
        ({"name": DINO, "alpha": 1}, "has no option `alpha`"),
    ],
)
def test_what_can_not_be_built(arguments, message):
    with pytest.raises(InputError, match=message):
        backbones.create(**arguments)


def test_weights_of_another_network_are_refused(preset):
    with pytest.raises(InputError, match=r"are of `hub:dinov2\(.*but the backbone is `hub:clip\("):
        backbones.create(CLIP, weights=str(preset))


def test_a_preset_that_can_not_be_had(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(hub.models.Backbone, "from_preset", offline)
    monkeypatch.setattr(hub.layers.ImageConverter, "from_preset", offline)
    with pytest.raises(
        InputError, match="`hub:dinov2_base` can't be loaded: no route to host; give the folder"
    ):
        backbones.create("hub:dinov2_base")


def test_a_network_of_another_kind_is_refused():
    network = hub.models.ResNetBackbone([64], [7], [64], [1], [1], "basic_block")
    with pytest.raises(InputError, match="a ResNetBackbone of keras-hub can't serve as a backbone"):
        Architecture.of(network)
