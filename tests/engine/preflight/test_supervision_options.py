import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import write_mask
from wsseg.engine.preflight.supervision import check_supervision
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.supervision.splits import Splits


@pytest.fixture
def recipe(tmp_path):
    """Two images without masks, two with masks in the other split."""
    root = tmp_path / "photographs"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "empty").mkdir()
    rows = ["image,labels,split"]
    for index in range(4):
        Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(root / f"images/{index}.png")
        if index >= 2:
            write_mask(root / f"masks/{index}.png", np.zeros((8, 8), np.uint8))
        rows.append(f"{index}.png,cat,{'train' if index < 2 else 'val'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    (root / "boxes.csv").write_text("image,label,left,top,right,bottom\n2.png,cat,0,0,1,1\n")

    def build(*words):
        base = ["--dataset.name=folder", f"--dataset.root={root}"]
        words = [word.replace("ROOT", str(root)) for word in words]
        return load_recipe(overrides=[*base, *(f"--{word}" for word in words)])

    return build


def supervised(*words):
    return tuple(f"supervision.{word}" for word in words)


MASKED = ("dataset.train=val", "dataset.val=train")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (supervised("simulated=true"), "`supervision.simulated` needs `supervision.annotations`: points"),
        (
            supervised("annotations_root=ROOT"),
            "`supervision.annotations_root` needs `supervision.annotations`",
        ),
        (supervised("annotations=points"), "`supervision.annotations: points` needs .*: a folder of ID.png"),
        (
            supervised("annotations=boxes"),
            "needs `supervision.annotations_root`: a CSV file, as the dataset has no box",
        ),
        (
            supervised("annotations=points", "simulated=true", "annotations_root=ROOT"),
            "draws annotations, .* reads them; remove one of the two",
        ),
        (
            supervised("annotations=points", "simulated=true"),
            "draws annotations from true masks, and no image of split `train` has one",
        ),
        (
            supervised("annotations=points", "annotations_root=ROOT/none"),
            "`supervision.annotations_root`: .*none is not a folder",
        ),
        (
            supervised("annotations=scribbles", "annotations_root=ROOT/empty"),
            "empty has no annotation for split `train`; expected image ids such as `0`",
        ),
        (
            supervised("annotations=boxes", "annotations_root=ROOT/boxes.csv"),
            "boxes.csv has no annotation for split `train`",
        ),
        (supervised("annotations=boxes", "annotations_root=ROOT/none.csv"), "none.csv does not exist"),
        (
            supervised("masks_share=0.5"),
            "`supervision.masks_share` needs masks, and no image of split `train`",
        ),
        (supervised("rest=ignore"), "`supervision.rest: ignore` needs `supervision.masks_share`"),
        (supervised("masks_repeat=2"), "`supervision.masks_repeat` shows images with given masks more often"),
        (
            (*MASKED, *supervised("rest=unlabelled", "masks_share=0.5")),
            "`supervision.rest: unlabelled` needs `segment.teacher.weight`",
        ),
        (
            (*MASKED, *supervised("rest=ignore", "masks_share=0.5", "annotations=points", "simulated=true")),
            "`supervision.annotations: points` has no effect with `supervision.rest: ignore`",
        ),
        (
            (*MASKED, "segment.train_on=true_masks", *supervised("masks_share=0.5")),
            "trains on all true masks and needs no section `supervision`",
        ),
        (
            (*MASKED, "segment.train_on=true_masks", "segment.teacher.weight=1"),
            "the true masks of `segment.train_on: true_masks` leave none",
        ),
        (
            (*MASKED, "relabel.rounds=1", *supervised("masks_share=0.5")),
            "`relabel.rounds` makes new masks from the image-level labels alone",
        ),
        (
            (*MASKED, "segment.weights=classifier", *supervised("rest=ignore", "masks_share=0.5")),
            "the weights of `segment.weights: classifier` were learnt from labels",
        ),
        (
            ("segment.teacher.weight=1",),
            "`segment.teacher` labels the pixels that masks leave unlabelled, but these pseudo-masks",
        ),
        (
            (*MASKED, "propagate.instances=true", *supervised("annotations=points", "simulated=true")),
            "`propagate.instances` makes instances from labels alone",
        ),
        (supervised("width=9"), "`supervision.width` is for simulated annotations"),
        (supervised("clean_folds=4"), "`supervision.clean_folds` needs `supervision.clean_labels"),
        (
            (*MASKED, *supervised("rest=ignore", "masks_share=0.5", "label_noise=0.1")),
            "`supervision.label_noise` changes labels, but nothing in this recipe learns from labels",
        ),
        (
            (
                *MASKED,
                "segment.train_on=true_masks",
                "segment.weights=classifier",
                *supervised("label_noise=0.1"),
            ),
            "`supervision.label_noise` has no effect with `segment.train_on: true_masks`",
        ),
        (
            ("classify.options={activation: softmax}", *supervised("label_noise=0.1")),
            "`supervision.label_noise` is for several labels per image",
        ),
        (
            ("classify.options={activation: softmax}", *supervised("clean_labels=confidence")),
            "`supervision.clean_labels` is for several labels per image",
        ),
        (
            supervised("clean_labels=confidence"),
            r"`supervision.clean_folds` \(3\) must be at most 2, the number of training images",
        ),
        (
            ("classify.loss_options={q: 0.5}",),
            "the loss `cross_entropy` has no option `q`; it has no options",
        ),
        (
            ("classify.loss=generalised", "classify.loss_options={p: 0.5}"),
            "the loss `generalised` has no option `p`; its option is `q`",
        ),
        (
            ("classify.loss=generalised", "classify.loss_options={q: 2}"),
            r"`classify.loss_options.q` must be in \(0, 1\]",
        ),
    ],
)
def test_said_before_the_run(recipe, words, message):
    with pytest.raises(InputError, match=message):
        check_supervision(Splits(recipe(*words)))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("width=0", "`supervision.width` must be at least 1 pixel"),
        ("loosened=-1", "`supervision.loosened` must be 0 or more"),
        ("masks_repeat=0", "`supervision.masks_repeat` must be 1"),
        ("masks_share=1.5", r"`supervision.masks_share` must be in \[0, 1\]"),
        ("label_noise=1", r"`supervision.label_noise` must be in \[0, 1\)"),
        ("clean_folds=1", "`supervision.clean_folds` must be at least 2"),
        ("annotations=dots", "`supervision.annotations` must be one of labels, points, scribbles, boxes"),
    ],
)
def test_values_that_cannot_be(recipe, word, message):
    with pytest.raises(InputError, match=message):
        recipe(f"supervision.{word}")


def test_what_can_be_is_let_through(recipe):
    check_supervision(Splits(recipe()))
    check_supervision(Splits(recipe("classify.loss=generalised", "classify.loss_options={q: 0.5}")))
    check_supervision(
        Splits(
            recipe(
                "supervision.label_noise=0.2",
                "supervision.clean_labels=confidence",
                "supervision.clean_folds=2",
            )
        )
    )
    for kind in ("points", "scribbles", "boxes"):
        check_supervision(
            Splits(recipe(*MASKED, *supervised(f"annotations={kind}", "simulated=true", "masks_share=0.5")))
        )
    check_supervision(
        Splits(recipe(*MASKED, *supervised("annotations=boxes", "annotations_root=ROOT/boxes.csv")))
    )
    check_supervision(
        Splits(recipe(*MASKED, *supervised("annotations=points", "annotations_root=ROOT/masks")))
    )
