"""What the segment stage would fail on in hours is said at once, with the option's name."""

import pytest
from small_run import network
from small_run.recipe import write_recipe
from small_run.tiles import write_tiles

from wsseg.datasets.scenes import CLASSES
from wsseg.engine.preflight import parts as preflight
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.supervision.splits import Splits


@pytest.fixture(scope="module", autouse=True)
def tiny_backbone():
    network.register()


def recipe(**options):
    stage = [f"--segment.{name}={value}" for name, value in options.items()]
    return load_recipe(overrides=["--dataset.classes=[beetle, daisy, weevil]", *stage])


TINY = {"backbone": "tiny", "channels": 8, "output_stride": 8}
UNET = {"network": "unet_valid", "channels": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            UNET | {"crop": 320},
            r"`segment.crop`: `unet_valid` can't take images of 320 x 320 pixels: its sides must be 12 modulo 16, "
            r"from 188; try \(316, 316\) or \(332, 332\)",
        ),
        (UNET | {"network": "unet", "crop": 100}, r"`segment.crop`: `unet`.*try \(96, 96\) or \(112, 112\)"),
        (
            UNET | {"output_stride": 8},
            "`segment.output_stride`: `unet_valid` has no such option; remove it",
        ),
        (UNET | {"backbone": "tiny"}, "`segment.backbone`: `unet_valid` has no such option"),
        (
            UNET | {"weights": "classifier"},
            "`segment.weights: classifier`: `unet_valid` has its own encoder",
        ),
        (UNET | {"weights": "imagenet"}, "`segment`: `weights`: `unet_valid` has no pretrained backbone"),
        (
            {"network": "pspnet", "output_stride": 8} | {"options": "{auxillary: false}"},
            "`segment.options`: `pspnet` has no option `auxillary`; did you mean `auxiliary`",
        ),
        (TINY | {"options": "{num_classes: 3}"}, "`segment.options.num_classes` is set by the stage itself"),
        (
            TINY | {"options": "{backbone: tiny}"},
            "`segment.options.backbone`: write `segment.backbone` instead",
        ),
        (TINY | {"options": "{rate: 3}"}, "`deeplab_v3_plus` has no option `rate`"),
        (
            {"network": "fcn_8s", "channels": 8, "weights": "classifier"},
            "`segment`: `backbone`.*mobilenet_0.75",
        ),
    ],
)
def test_networks(options, message):
    with pytest.raises(InputError, match=message):
        preflight.check_segmenter(recipe(**options))


def test_weights_of_another_network(tmp_path):
    from wsseg import backbones

    backbones.create("plain", 8).save_weights(tmp_path / "plain.weights.h5")
    with pytest.raises(InputError, match=r"`segment`: .*plain\.weights\.h5"):
        preflight.check_segmenter(recipe(**TINY, weights=tmp_path / "plain.weights.h5"))


@pytest.mark.parametrize(
    "options",
    [
        UNET | {"crop": 332},
        TINY | {"crop": 77},
        TINY | {"network": "pspnet", "options": "{auxiliary: false}"},
    ],
)
def test_networks_that_can_be_trained(options):
    preflight.check_segmenter(recipe(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "balancd"}, "`segment.loss`: there is no `balancd`; did you mean `balanced`"),
        ({"loss": "expansion"}, "`segment.loss`: `expansion` says which classes there are, not where"),
        (
            {"loss": "constrain_to_boundary"},
            "`segment.loss`: `constrain_to_boundary` needs the network's own predictions",
        ),
        (
            {"loss": "weight_map", "teacher": "{weight: 1}"},
            "`segment.loss: weight_map` computes maps from whole masks in advance",
        ),
        (
            {"loss": "focal", "loss_options": "{gama: 2}"},
            "`segment.loss_options`: loss `focal` has no option `gama`; did you mean `gamma`",
        ),
        (
            {"loss": "focal", "loss_options": "{gamma: -2}"},
            "`segment.loss_options`: `gamma` must be 0 or more",
        ),
    ],
)
def test_losses(options, message):
    with pytest.raises(InputError, match=message):
        preflight.check_loss(Splits(recipe(**options)))


def test_losses_that_can_train():
    for name in ("balanced", "cross_entropy", "boundary", "seed"):
        preflight.check_loss(Splits(recipe(loss=name)))
    preflight.check_loss(
        Splits(recipe(loss="weight_map", loss_options="{sigma: 3, class_weights: [1, 2, 3, 4]}"))
    )
    preflight.check_loss(Splits(recipe(loss="focal", loss_options="{alpha: [1, 2, 3, 4]}")))


@pytest.mark.parametrize(("loss", "option"), [("focal", "alpha"), ("weight_map", "class_weights")])
@pytest.mark.parametrize("weights", [[1, 2, 3], [1, 2, 3, 4, 5]])
def test_weights_of_another_number_of_classes(loss, option, weights):
    with pytest.raises(
        InputError,
        match=f"`segment.loss_options`: `{option}` must have a weight for each of the 4 classes, background first; "
        f"it has {len(weights)}",
    ):
        preflight.check_loss(Splits(recipe(loss=loss, loss_options=f"{{{option}: {weights}}}")))


def test_classes_that_the_recipe_does_not_name_are_the_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path))
    scenes = load_recipe(
        overrides=[
            "--dataset.options={size: 32, train_images: 2, val_images: 1}",
            "--segment.loss=focal",
            "--segment.loss_options={alpha: [1, 2]}",
        ]
    )
    with pytest.raises(InputError, match=rf"each of the {len(CLASSES) + 1} classes"):
        preflight.check_loss(Splits(scenes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "tinny"}, r"`propagate.backbone`"),
        ({"backbone": "mobilenet_0.25"}, r"`propagate.weights: classifier` needs"),
        (
            {"method": "psa", "instances": True},
            "`propagate.instances` needs IRNet, which separates instances",
        ),
        ({"radius": 1}, r"`propagate.radius` must be at least 2"),
        ({"learn_radius": 9}, r"`propagate.crop` \(64\) has 16 cells per side, .* needs 17"),
        ({"confident": [0.05, 0.3]}, r"`propagate.confident` with a constant background must be falling"),
    ],
)
def test_what_cannot_be_propagated_is_said_before_the_run(tmp_path, changes, message):
    section = {"method": "irn", "crop": 64, "learn_radius": 3} | changes
    with pytest.raises(InputError, match=message):
        preflight.check_propagate(load_recipe(write_recipe(tmp_path / "walk.yaml", {"propagate": section})))


def test_softmax_needs_a_label_of_every_image(tmp_path):
    """The softmax cross-entropy of an image without a label is 0: it would teach nothing, without a word."""
    write_tiles(tmp_path / "tiles", 3)
    words = ["--dataset.name=class_folders", f"--dataset.root={tmp_path / 'tiles'}"]
    words += [
        "--classify.backbone=tiny",
        "--classify.output_stride=8",
        "--classify.options={activation: softmax}",
    ]
    options = "masks: '{folder}/{name}.png', nothing: "
    asked = load_recipe(overrides=[*words, f"--dataset.options={{{options}T_Free}}"])
    with pytest.raises(
        InputError, match=r"softmax` is for images with one label; `exp2_num_\d` .* has 0; remove"
    ):
        preflight.check_classifier(Splits(asked))
    preflight.check_classifier(Splits(load_recipe(overrides=[*words, f"--dataset.options={{{options}[]}}"])))
