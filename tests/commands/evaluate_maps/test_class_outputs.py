import pytest

from wsseg.commands.evaluate_maps.class_outputs import class_outputs
from wsseg.errors import InputError

CLASSES = ("cat", "dog", "potted plant")
NAMES = ["tabby", "Potted_Plant", "beagle", "Cat", "pug"]


def test_by_name_or_by_order():
    assert class_outputs(CLASSES, 3, None) == {"cat": (0,), "dog": (1,), "potted plant": (2,)}
    assert class_outputs(["cat", "potted plant"], 5, NAMES) == {"cat": (3,), "potted plant": (1,)}


def test_a_map_of_names_numbers_and_ranges(tmp_path):
    (tmp_path / "map.txt").write_text("# ImageNet\n\ndog: beagle, 4\nCAT: 3, 0-1 ,tabby\n")
    found = class_outputs(CLASSES, 5, NAMES, tmp_path / "map.txt")
    assert found == {"dog": (2, 4), "cat": (3, 0, 1)}
    (tmp_path / "map.txt").write_text("dog: 151-268\n")
    assert len(class_outputs(CLASSES, 1000, None, tmp_path / "map.txt")["dog"]) == 118


@pytest.mark.parametrize(
    ("count", "names", "message"),
    [
        (1000, None, "1000 outputs without names and the dataset 3 classes.*--class-map.*--targets top"),
        (5, NAMES, "no output for the dataset's class dog; .*--class-map"),
        (4, NAMES, "5 class names were given for a model with 4 classes"),
    ],
)
def test_classes_that_cannot_be_told(count, names, message):
    with pytest.raises(InputError, match=message):
        class_outputs(CLASSES, count, names)


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("dog 3", NAMES, "line 1: expected `class: outputs`"),
        ("dog:", NAMES, "line 1: expected `class: outputs`"),
        ("# x\ndgo: 3", NAMES, "line 2: the dataset has no class `dgo`; did you mean `dog`"),
        ("dog: 3\ndog: 4", NAMES, "line 2: class `dog` has a line already"),
        ("dog: beagel", NAMES, "the model has no output `beagel`; did you mean `beagle`"),
        ("dog: beagle", None, "the model's outputs have no names"),
        ("dog: 5", NAMES, r"`5` is not among the model's outputs 0..4"),
        ("dog: 3-2", NAMES, r"`3-2` is not among"),
        ("# nothing", NAMES, "has no line; expected"),
    ],
)
def test_wrong_maps(tmp_path, text, names, message):
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        class_outputs(CLASSES, 5, names, tmp_path / "map.txt")


def test_a_map_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt cannot be read"):
        class_outputs(CLASSES, 5, NAMES, tmp_path / "absent.txt")
