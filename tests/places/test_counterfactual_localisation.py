import keras
import numpy as np
import pytest
from places.colour_classifiers import BLUE, RED, one_label, picture, several_labels
from references.places import intersection_over_union

from wsseg.errors import InputError
from wsseg.places.counterfactual_localisation import CounterfactualLocaliser

ONE = (12, 8, 36, 28)
TWO = (40, 44, 60, 60)


@pytest.fixture(scope="module")
def localiser():
    # The mean colour leaves nothing red, so that the scores can be worked out by hand.
    return CounterfactualLocaliser(several_labels(), fill="mean")


def assert_found(result, *boxes):
    assert len(result.boxes_xyxy) == len(boxes)
    for found, expected in zip(result.boxes_xyxy.tolist(), boxes):
        assert intersection_over_union(found, expected) > 0.8, (found, expected)


def test_finds_the_red_rectangle(localiser):
    image = picture((ONE, RED))
    result = localiser(image, 0)
    assert_found(result, ONE)
    assert result.predicted_before and not result.predicted_after
    # 480 of 4096 pixels: 60 * 0.1172 - 1.2 = 5.83; nothing red is left: -1.2.
    assert result.score_before == pytest.approx(5.83, abs=0.05)
    assert result.score_after == pytest.approx(-1.2, abs=0.4)
    assert result.scores[0] == pytest.approx(result.score_before - result.score_after, abs=1e-4)
    assert result.masks.shape == (1, 64, 64) and result.masks.dtype == bool
    assert result.evidence_hw.shape == (64, 64) and result.evidence_hw.dtype == np.float32
    inside = result.evidence_hw[ONE[1] : ONE[3], ONE[0] : ONE[2]]
    assert inside.mean() > 5 * np.abs(result.evidence_hw[40:]).mean()


def test_finds_two_rectangles_the_larger_first(localiser):
    assert_found(localiser(picture((TWO, RED), (ONE, RED)), 0), ONE, TWO)


def test_a_class_that_is_not_there_is_not_found(localiser):
    for image in (picture(), picture((ONE, BLUE))):
        result = localiser(image, 0)
        assert result.boxes_xyxy.shape == (0, 4) and result.masks.shape == (0, 64, 64)
        assert result.scores.shape == (0,)
        assert not result.predicted_before and not result.predicted_after
        assert result.score_before == result.score_after
        assert not result.counterfactual_hw.any() and not result.evidence_hw.any()


def test_each_label_of_an_image_has_its_own_place(localiser):
    image = picture((ONE, RED), (TWO, BLUE))
    assert localiser.predicted(image) == [0, 1]  # the larger is the surer
    assert_found(localiser(image, 0), ONE)
    assert_found(localiser(image, 1), TWO)
    # Both as one class: either is enough, so the second falls further than the first.
    assert_found(localiser(image, (0, 1)), TWO, ONE)


def test_softmax_and_logits():
    image = picture((ONE, RED))
    chosen = CounterfactualLocaliser(one_label())
    assert chosen.predicted(image) == [0]
    assert_found(chosen(image, 0), ONE)
    assert chosen(image, 1).boxes_xyxy.shape == (0, 4)
    logits = CounterfactualLocaliser(several_labels(activation=None), outputs="sigmoid_logits")
    assert_found(logits(image, 0), ONE)


@pytest.mark.parametrize(
    "options",
    [
        {"score": "probability"},
        {},  # the default, blur
        {"fill": "mean"},
        {"segments": (12, 32, 96)},
        {"fill": "inpaint"},
        {"fill": "mean", "regions": "windows", "window_fractions": (0.25, 0.125)},
        {"regions": "both"},
        {"level": 0.4},
        {"batch_size": 7},
    ],
    ids=str,
)
def test_other_options_find_it_too(options):
    result = CounterfactualLocaliser(several_labels(), **options)(picture((ONE, RED)), 0)
    assert len(result.boxes_xyxy) == 1
    # Windows can be no finer than their grid: here it reaches a cell or two of 4 pixels beyond the edges.
    least = 0.4 if "regions" in options else 0.8
    assert intersection_over_union(result.boxes_xyxy[0].tolist(), ONE) > least


def test_evidence_that_no_removal_changes_is_none():
    # Predicted whatever the image: no place is to blame.
    sure = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(
        1, activation="sigmoid", kernel_initializer="zeros", bias_initializer="ones")])  # fmt: skip
    result = CounterfactualLocaliser(sure)(picture((ONE, RED)), 0)
    assert result.predicted_before and result.predicted_after
    assert result.boxes_xyxy.shape == (0, 4) and not result.counterfactual_hw.any()


def test_the_minimal_set_is_minimal():
    # Red is predicted from 2 % of the image up; there is six times as much, so nearly all has to go.
    image = picture((ONE, RED))
    model = several_labels()
    result = CounterfactualLocaliser(model, fill="mean")(image, 0)
    fill = image.reshape(-1, 3).mean(axis=0)

    def red(removed):
        return float(model(np.where(removed[..., None], fill, image)[None].astype(np.float32))[0, 0]) >= 0.5

    assert red(np.zeros((64, 64), bool)) and not red(result.counterfactual_hw)
    assert not (result.counterfactual_hw & ~result.masks[0]).any()
    assert result.counterfactual_hw.sum() < result.masks[0].sum()
    # None of its atoms can be put back.
    from wsseg.places.regions import regions_of

    atoms = regions_of(image).atoms_hw
    members = np.unique(atoms[result.counterfactual_hw])
    assert len(members) > 2
    for atom in members:
        assert red(result.counterfactual_hw & (atoms != atom))

    least = CounterfactualLocaliser(model, fill="mean", extent="minimal")(image, 0)
    assert (least.masks.any(axis=0) == result.counterfactual_hw).all()


def test_boxes_are_the_images_own_and_one_size_is_traced_once():
    localiser = CounterfactualLocaliser(several_labels(), preprocess=lambda images: images)
    for size_hw in ((128, 96), (50, 80), (64, 64)):
        scale = np.array([size_hw[1], size_hw[0], size_hw[1], size_hw[0]]) / 64
        box = np.rint(np.array(ONE) * scale).astype(int).tolist()
        result = localiser(picture((box, RED), size_hw=size_hw), 0)
        assert_found(result, box)
        assert result.masks.shape == (1, *size_hw) and result.counterfactual_hw.shape == size_hw
    assert localiser.removal.traces == 1


def test_preprocessing_is_applied_to_image_and_filling():
    # A model that takes [0, 1], fed with [0, 255]-preprocessing by a factor.
    inputs = keras.Input((64, 64, 3))
    model = keras.Model(inputs, several_labels()(keras.layers.Rescaling(255.0)(inputs)))
    localiser = CounterfactualLocaliser(model, preprocess=lambda images: images / 255)
    assert_found(localiser(picture((ONE, RED)), 0), ONE)


def test_max_places_and_min_fall():
    # 480 and 64 red pixels: the second place's fall is a seventh of the first's.
    tiny = (48, 48, 56, 56)
    image = picture((ONE, RED), (tiny, RED))
    options = {"fill": "mean", "level": 0.2}
    assert_found(CounterfactualLocaliser(several_labels(), **options)(image, 0), ONE, tiny)
    assert_found(CounterfactualLocaliser(several_labels(), **options, max_places=1)(image, 0), ONE)
    assert_found(CounterfactualLocaliser(several_labels(), **options, min_fall=0.5)(image, 0), ONE)


def test_wrong_images_and_classes(localiser):
    image = picture((ONE, RED))
    for wrong in (image[None], image[..., :1], image.astype(np.float32), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(InputError, match=r"`image` must be \(H, W, 3\) uint8"):
            localiser(wrong, 0)
    for wrong in (2, -1, (), (0, 0), 0.5, "red"):
        with pytest.raises(InputError, match="`class_ids`"):
            localiser(image, wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regions": "pixels"}, "`regions`"),
        ({"extent": "half"}, "`extent`"),
        ({"fill": "black"}, "`fill`"),
        ({"score": "logit"}, "`score`"),
        ({"outputs": "logits"}, "`outputs`"),
        ({"level": 2.0}, "`level`"),
        ({"min_fall": 0}, "`min_fall`"),
        ({"min_fall": np.nan}, "`min_fall`"),
        ({"min_left": -0.1}, "`min_left`"),
        ({"min_left": np.nan}, "`min_left`"),
        ({"max_places": 0}, "`max_places`"),
        ({"batch_size": 0}, "`batch_size`"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(InputError, match=message):
        CounterfactualLocaliser(several_labels(), **options)


def test_wrong_sizes_of_regions():
    for options, message in (
        ({"segments": (1,)}, "`segments`"),
        ({"segments": ()}, "`segments`"),
        ({"regions": "windows", "window_fractions": (0.9,)}, "`window_fractions`"),
    ):
        with pytest.raises(InputError, match=message):
            CounterfactualLocaliser(several_labels(), **options)(picture((ONE, RED)), 0)


def test_outputs_that_cannot_be_told_are_asked_for():
    with pytest.raises(InputError, match="say what its outputs are"):
        CounterfactualLocaliser(several_labels(activation=None))
    with pytest.raises(InputError, match="all 3 classes of a softmax"):
        CounterfactualLocaliser(one_label())(picture(), (0, 1, 2))
    maps = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Conv2D(2, 1, activation="sigmoid")])
    with pytest.raises(InputError, match=r"expected one of \(batch, classes\)"):
        CounterfactualLocaliser(maps)(picture(), 0)
