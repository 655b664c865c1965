"""What users get wrong, through the command: status 2, a message that names it, nothing left behind."""

import shutil

import pytest
from PIL import Image
from small_run.photographs import write_labels, write_photographs
from small_run.recipe import write_recipe


@pytest.fixture
def photographs(tmp_path):
    root = tmp_path / "photographs"
    return root, write_photographs(root)


@pytest.fixture
def refused(command, tmp_path, photographs):
    """Run the small recipe on the photographs; return the message with which it is refused."""

    def run(*words, **changes):
        dataset = {"name": "folder", "root": str(photographs[0])} | changes.pop("dataset", {})
        recipe = write_recipe(tmp_path / "mine.yaml", {"dataset": dataset} | changes)
        status, output = command("run", recipe, "--run", tmp_path / "run", *words)
        assert status == 2 and output.splitlines()[-1].startswith("wsseg: ") and "Traceback" not in output
        return output

    return run


def test_a_label_that_is_no_class(refused, photographs):
    root, rows = photographs
    rows["train 2.png"] = "train 2.png,beetel,train"
    write_labels(root, rows)
    message = refused(
        dataset={"classes": ["beetle", "clownfish", "daisy", "sunflower", "swordfish", "weevil"]}
    )
    assert "labels.csv, line 4" in message and "`beetel`" in message and "did you mean `beetle`" in message


def test_a_class_list_that_is_too_short(refused):
    assert "which is not in `classes`" in refused(dataset={"classes": ["beetle", "daisy"]})


def test_no_image_has_a_label(refused, photographs):
    root, rows = photographs
    # The classes are those of the other splits.
    write_labels(root, {name: row if ",val" in row else f"{name},,train" for name, row in rows.items()})
    assert "no label" in refused()
    message = refused(dataset={"options": {"allow_unlabelled": True}})
    assert "no image of split `train` has a label; a classifier needs labels" in message


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty holds no image" in refused(dataset={"root": str(tmp_path / "empty")})
    assert "absent is not a folder" in refused(dataset={"root": str(tmp_path / "absent")})
    assert not (tmp_path / "run").exists()


def test_all_images_are_broken(refused, photographs):
    root, _ = photographs
    for path in (root / "images").glob("train*"):
        path.write_bytes(path.read_bytes()[:100])
    message = refused()
    assert (
        "no image of split `train` can be used; the first, `train 0`: " in message
        and "train 0.png" in message
    )


def test_an_image_that_vanishes(refused, photographs):
    root, _ = photographs
    shutil.rmtree(root / "images")
    assert "holds masks alone; expected images" in refused()
    shutil.rmtree(root / "masks")
    assert "holds no image" in refused()


def test_no_validation_split(refused, photographs):
    root, rows = photographs
    write_labels(root, {name: row for name, row in rows.items() if ",val" not in row})
    assert "no image in split `val`" in refused()


def test_a_misspelt_dataset_and_its_options(refused):
    assert "unknown dataset `foldr`; did you mean `folder`" in refused(dataset={"name": "foldr"})
    message = refused(dataset={"options": {"val_shar": 0.1}})
    assert "dataset `folder` has no option `val_shar`; did you mean `val_share`" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--segment.network", "deeplab_v3plus"],
            "`segment.network`: there is no `deeplab_v3plus`; did you mean",
        ),
        (
            ["--segment.backbone", "resnet5"],
            "`segment.backbone`: unknown backbone `resnet5`; did you mean `resnet50`",
        ),
        (["--classify.head", "gapp"], "`classify.head`: there is no `gapp`; did you mean `gap`"),
        (["--localize.explainer", "grad_cm"], "`localize.explainer`: there is no `grad_cm`; did you mean"),
        (["--segment.loss", "ballanced"], "`segment.loss`: there is no `ballanced`; did you mean `balanced`"),
        (["--segment.options", "{rate: 3}"], "`segment.options`: `deeplab_v3` has no option `rate`"),
        (
            ["--segment.weights", "classifier", "--segment.backbone", "mobilenet_0.25"],
            "`segment.weights: classifier` needs `segment.backbone` (mobilenet_0.25) to be",
        ),
    ],
)
def test_names_that_a_late_stage_needs_are_checked_first(refused, tmp_path, words, message):
    assert message in refused(*words)
    assert not (tmp_path / "run/1_classify").exists() and not (tmp_path / "run/1_classify.partial").exists()


def test_calibration_refuses_the_training_images(refused):
    calibration = ["--label.threshold.rule", "calibration", "--label.threshold.split"]
    assert "must name a split with masks other than the training split" in refused(*calibration, "train")
    message = refused(*calibration, "all")  # another name for, among others, the same images
    assert "`all` shares 12 images with the training split `train`, such as " in message


def test_calibration_needs_masks(refused, photographs):
    for path in (photographs[0] / "masks").glob("calibration*"):
        path.unlink()
    calibration = ["--label.threshold.rule", "calibration", "--label.threshold.split", "calibration"]
    assert "no image of `calibration` has a mask" in refused(*calibration)


def test_output_that_cannot_be_written(command, tmp_path):
    (tmp_path / "file").write_text("")
    recipe = write_recipe(tmp_path / "mine.yaml")
    status, output = command("run", recipe, "--run", tmp_path / "file/run")
    assert status == 2 and "cannot be written" in output and "choose another with --run" in output


def test_anothers_run_folder(finished, command):
    status, output = command("run", finished.recipe, "--name", "another", "--run", finished.folder)
    assert status == 2 and "was made by the recipe `small`, not `another`" in output


def test_an_image_of_a_training_step_breaks_after_it_was_checked(refused, photographs, monkeypatch):
    """A disk that fails in the middle: the error of the loading threads reaches the user all the same."""
    from wsseg.datasets import Dataset
    from wsseg.errors import InputError

    def broken(self, record):
        raise InputError(f"image {record.image} cannot be read (disk on fire)")

    monkeypatch.setattr(Dataset, "read_image", broken)
    assert "cannot be read (disk on fire)" in refused()


def test_a_photograph_of_every_kind_is_an_image_for_the_check(photographs):
    with Image.open(photographs[0] / "images/train 1.png") as image:
        assert image.size == (64, 64)  # the fixture is what the other tests take it for
