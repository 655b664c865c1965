"""Labels and splits as people write them in labels.csv. What is right stands beside each way, by hand."""

import pytest
from PIL import Image
from small_run.in_process import run_quietly

from wsseg import datasets
from wsseg.errors import InputError


@pytest.fixture
def read(tmp_path):
    """Write images a, b, c ... and a table of their cells; return the dataset."""

    def call(*cells, header="image,labels", split="all", **options):
        for index in range(len(cells)):
            Image.new("RGB", (20, 16)).save(tmp_path / f"{'abcdefghijkl'[index]}.png")
        rows = [f"{'abcdefghijkl'[index]},{cell}" for index, cell in enumerate(cells)]
        (tmp_path / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
        return datasets.create("folder", split=split, root=tmp_path, **options)

    return call


@pytest.mark.parametrize(
    "cell",
    [
        "cat dog",
        "cat;dog",
        "cat | dog",
        '"cat, dog"',
        '"cat,dog,"',
        "\"['cat', 'dog']\"",
        '"[""cat"", ""dog""]"',
        "\"('cat', 'dog')\"",
        "\"{'dog', 'cat'}\"",
        '"[cat, dog]"',
        "cat\tdog",
        "dog cat cat",
    ],
)
def test_two_labels_in_a_cell(read, cell):
    dataset = read(cell, "cat", "dog")
    assert dataset.classes == ("cat", "dog")
    assert [record.labels for record in dataset] == [("cat", "dog"), ("cat",), ("dog",)]


@pytest.mark.parametrize("mark", [";", "|", ","])
def test_names_with_spaces_beside_a_separator(read, mark):
    assert read(f'"red fox{mark} polar bear"', "red fox").classes == ("polar bear", "red fox")


@pytest.mark.parametrize(
    "word", ["none", "None", "nan", "NaN", "NULL", "N/A", "[]", "-", "background", '""', " "]
)
def test_nothing_as_a_word(read, word):
    dataset = read(word, "cat", "dog", allow_unlabelled=True)
    assert dataset.classes == ("cat", "dog") and dataset[0].labels == () and not dataset.set_aside
    aside = read(word, "cat", "dog").set_aside
    assert list(aside) == ["a"] and "no label" in aside["a"] and word.strip(' "') in aside["a"]


def test_a_class_that_is_called_nothing(read):
    assert read("none", "some", classes=("none", "some"))[0].labels == ("none",)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("cat/dog", "cat", "dog"), "`cat/dog` looks like several"),
        (("cat+dog", "bird"), "looks like several"),
        (("cat;dog", "cat|dog"), "`cat\\|dog` looks like several"),
        (("cat-dog", "cat", "dog"), "looks like several"),
        (("cat and dog;bird", "cat", "dog"), "looks like several"),
        (("cat dog", "cat;bird", "dog"), "`cat dog` looks like several; separate labels by semicolons"),
        (("\"{'cat': 1, 'dog': 0}\"", "cat"), "looks like several"),
        (("cat none", "dog"), "`none` stands beside other labels"),
        (("Cat", "cat", "dog"), "line 3: the label `cat` differs from `Cat` .*line 2"),
        (("traffic_light", "traffic-light"), "differs from"),
        (("0", "1"), "the label `0` is no name"),
        (('"[0, 1, 1]"', "1 0 0"), "the label `0` is no name"),
        (("True", "False"), "the label `True` is no name"),
    ],
)
def test_what_may_be_meant_otherwise_is_refused(read, cells, message):
    with pytest.raises(InputError, match=message):
        read(*cells)


def test_listed_classes_are_taken_as_they_are(read):
    names = ("cat/dog", "Cat", "cat", "0", "hot dog")
    dataset = read(*names, classes=names)
    assert [record.labels for record in dataset] == [(name,) for name in names]
    for wrong, message in (
        (("background", "cat"), "names `background`, which is mask id 0"),
        (("cat", "cat"), "names `cat` twice"),
        (tuple(f"c{number}" for number in range(255)), "254 at most"),
    ):
        with pytest.raises(InputError, match=message):
            read("cat", classes=wrong)


def test_words_of_one_name_are_pointed_out(read, tmp_path):
    read("golden retriever", "golden retriever", "cat", header="image,labels")
    status, said = run_quietly("datasets", "check", tmp_path, "--split", "all", "--fast")
    assert status == 0 and "always together: golden and retriever; if this is one name" in said
    read("golden retriever;", "golden retriever", "cat")
    assert "always together" not in run_quietly("datasets", "check", tmp_path, "--split", "all", "--fast")[1]


def test_two_columns_of_labels(read):
    with pytest.raises(InputError, match="two columns `labels`"):
        read("cat,dog", header="image,labels,labels")


def test_numbers_are_sorted_as_numbers(read):
    assert read(*map(str, range(1, 12))).classes == tuple(map(str, range(1, 12)))
    assert read("c10", "c9").classes == ("c9", "c10")


def ids(dataset):
    return "".join(record.id for record in dataset)


@pytest.mark.parametrize(
    "header", ["split", "Split", "SPLIT", "subset", " Set", "partition", "data split", "whatever"]
)
@pytest.mark.parametrize(("train", "val"), [("train", "val"), ("Training", "Validation"), ("TRAIN", "valid")])
def test_the_users_split_is_used(read, header, train, val):
    rows = [f"cat,{train}", f"dog,{train}", f"cat,{val}", "dog,Test"]
    dealt = {
        split: ids(read(*rows, header=f"image,labels,{header}", split=split))
        for split in ("train", "val", "test")
    }
    assert dealt == {"train": "ab", "val": "c", "test": "d"}
    assert ids(read(*rows, header=f"image,labels,{header}", split=val)) == "c"


@pytest.mark.parametrize("header", ["fold", "subset", "Usage", "test", "set"])
def test_a_column_that_divides_in_another_way_is_named(read, header):
    rows, header_row = ("cat,0", "dog,1", "cat,1"), f"image,labels,{header}"
    with pytest.raises(
        InputError, match=rf"labels\.csv: the column `{header}` \(with `0`, `1`\) seems to divide"
    ):
        read(*rows, header=header_row)
    if header != "test":
        assert ids(read(*rows, header=header_row, split="1", split_column=header)) == "bc"
    assert ids(read(*rows, header=header_row, split_column="none")) == "abc"
    with pytest.raises(InputError, match="no column `flod`"):
        read(*rows, header=header_row, split_column="flod")


def test_two_columns_and_empty_cells(read):
    rows = ("cat,train,val", "dog,val,train")
    with pytest.raises(InputError, match="the columns `subset` and `phase` both may deal"):
        read(*rows, header="image,labels,subset,phase")
    assert ids(read(*rows, header="image,labels,split,phase", split="train")) == "a"
    with pytest.raises(InputError, match="line 3: image `b` has no split in the column `split`"):
        read("cat,train", "dog,", header="image,labels,split")
    assert ids(read("cat,", "dog,nan", header="image,labels,split")) == "ab"  # an empty column deals nothing
    assert ids(read("cat,train,me", "dog,val,you", header="image,labels,split,author", split="val")) == "b"
