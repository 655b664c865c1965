"""Names of a model's outputs, in a file and on the command line."""

import pytest

from wsseg.annotations.box_table import image_id
from wsseg.commands.class_names import read_class_names
from wsseg.commands.evaluate_maps.class_outputs import class_outputs
from wsseg.commands.photographs import class_index
from wsseg.errors import InputError


def test_a_file_of_names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("cat \r\nguinea pig\n\n", encoding="utf-8-sig")
    assert read_class_names(path) == ["cat", "guinea pig"]
    path.write_text("cat\n\ndog\n")
    with pytest.raises(InputError, match="the line between `cat` and the next name is empty"):
        read_class_names(path)


def test_a_name_of_two_outputs_names_neither():
    """ImageNet has two outputs called crane, 134 (the bird) and 517 (the machine)."""
    names = ["cat", "crane", "dog", "crane"]
    with pytest.raises(InputError, match="2 classes of the model are called `crane`; give a number: 1, 3"):
        class_index("crane", names)
    assert (class_index("3", names), class_index("dog", names)) == (3, 2)
    with pytest.raises(InputError, match="several outputs of the model are called `crane`; name the outputs"):
        class_outputs(["cat", "crane"], 4, names)
    assert class_outputs(["cat", "dog"], 4, names) == {"cat": (0,), "dog": (2,)}


def test_every_image_extension_is_left_out_of_an_id():
    assert [image_id(name) for name in ("a/b.pgm", "b.JPE", "b.v2")] == ["b", "b", "b.v2"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\nguinea pig\n", ["cat", "guinea pig"]),
        ("name\ncat\ndog\n", ["cat", "dog"]),
        ("cat,dog,guinea pig\n", ["cat", "dog", "guinea pig"]),
        ("index,name\n1,dog\n0,cat\n", ["cat", "dog"]),
        ("cat;1\ndog;2\n", ["cat", "dog"]),
        ('"Mass, large"\n"Nodule"\n', ["Mass, large", "Nodule"]),
    ],
)
def test_a_table_of_names(tmp_path, text, names):
    path = tmp_path / "names.csv"
    path.write_text(text, encoding="utf-8-sig")
    assert read_class_names(path) == names


@pytest.mark.parametrize("text", ['["cat", "dog"]', '{"dog": 1, "cat": 0}', '{"0": "cat", "1": "dog"}'])
def test_names_in_json(tmp_path, text):
    path = tmp_path / "names.json"
    path.write_text(text)
    assert read_class_names(path) == ["cat", "dog"]
    for wrong, message in (
        ("{", "is no JSON"),
        ("[1]", "must hold a list of names"),
        ('{"a": 5}', "the numbers must be"),
    ):
        path.write_text(wrong)
        with pytest.raises(InputError, match=message):
            read_class_names(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,cat\n2,dog\n", "the numbers must be 0 to 1, or 1 to 2, each once"),
        ("a,cat\nb,dog\n", "none of which has whole numbers"),
        ("a,b,c\nd,e\n", "rows have 2, 3 cells"),
        ("cat\n\ndog\n", "the line between `cat` and the next name is empty"),
    ],
)
def test_a_table_that_does_not_name_the_outputs(tmp_path, text, message):
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_class_names(path)
