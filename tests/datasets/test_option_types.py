"""Options of another type are refused by name, whatever dataset they are of."""

import pytest

from wsseg import datasets
from wsseg.catalogue import load, options_of
from wsseg.errors import InputError


class Odd:
    """A value that no option takes."""

    def __repr__(self):
        return "odd"


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_no_option_of_a_wrong_type_gets_through(tmp_path, name):
    reader = load(datasets.DATASETS, name, "dataset")
    options = set(options_of(reader)) - {"split", "root", "classes"}
    for option in options:
        with pytest.raises(InputError, match=rf"`{option}` of dataset `{name}` must be .*; got odd"):
            datasets.create(name, root=tmp_path, **{option: Odd()})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("folder", {"allow_unlabelled": "false"}, "true or false; got 'false'"),
        ("folder", {"val_share": "0.2"}, "a number; got '0.2'"),
        ("folder", {"val_share": True}, "a number; got True"),
        ("folder", {"labels_csv": 5}, "text; got 5"),
        ("folder", {"label_columns": [1, 0]}, "text or a list of texts"),
        ("folder", {"mask_values": 5}, "pairs, such as {a: b} or null"),
        ("cityscapes", {"annotations": ["fine"]}, "text"),
        ("coco", {"year": 2017.0}, "a whole number or null"),
    ],
)
def test_what_people_write(tmp_path, name, options, message):
    with pytest.raises(InputError) as caught:
        datasets.create(name, root=tmp_path, **options)
    assert message in str(caught.value)
