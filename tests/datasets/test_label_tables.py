"""Tables of labels as tools write them. What each says is written beside it by hand."""

import pytest
from PIL import Image

from wsseg import datasets
from wsseg.errors import InputError

TWO = {"a": ("cat", "dog"), "b": ("dog",), "c": ()}


@pytest.fixture
def read(tmp_path):
    """Write three images and a table; return labels by id."""

    def call(text, split="all", names=("a.jpg", "b.jpg", "c.jpg"), encoding="utf-8", **options):
        for index, name in enumerate(names):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 16), (index, 0, 0)).save(tmp_path / name)
        (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
        call.dataset = datasets.create(
            "folder", split=split, root=tmp_path, **{"allow_unlabelled": True} | options
        )
        return {record.id: record.labels for record in call.dataset}

    return call


@pytest.mark.parametrize(
    "text",
    [
        "image,cat,dog\na.jpg,1,1\nb.jpg,0,1\nc.jpg,0,0\n",
        "image_name,dog,cat\na,1.0,1.0\nb,1.0,0.0\nc,0.0,0.0\n",
        "filename;cat;dog\r\na.jpg;TRUE;TRUE\r\nb.jpg;FALSE;TRUE\r\nc.jpg;FALSE;FALSE\r\n",
        ",file,cat,dog\n0,a.jpg,yes,yes\n1,b.jpg,no,yes\n2,c.jpg,no,no\n",
        "Unnamed: 0,id,path,cat,dog,none\n0,7,a.jpg,1,1,0\n1,8,b.jpg,0,1,0\n2,9,c.jpg,0,0,1\n",
        "image,labels\na.jpg,cat\na.jpg,dog\nb.jpg,dog\nc.jpg,\n",
        "image_name,tags\na,cat dog\nb,dog\nc,\n",
        "filename,label,xmin,ymin\na.jpg,cat,1,2\na.jpg,cat,5,6\na.jpg,dog,3,4\nb.jpg,dog,1,1\nc.jpg,none,,\n",
        "Image Index\tFinding Labels\na.jpg\tcat|dog\nb.jpg\tdog\nc.jpg\tNo Finding\n",
        "sep=;\nimage;labels\na.jpg;cat dog\nb.jpg;dog\nc.jpg;\n;\n",
        "image|labels\na.jpg|cat dog\nb.jpg|dog\nc.jpg|\n",
        "image,labels\na.jpg,['cat' 'dog']\nb.jpg,['dog']\nc.jpg,[]\n",
        "image,labels\na.jpg,'cat';'dog'\nb.jpg,'dog'\nc.jpg,''\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_forms_of_one_table(read, text, encoding):
    assert read(text, encoding=encoding) == TWO
    assert read.dataset.classes == ("cat", "dog")


def test_names_with_spaces_where_an_object_has_a_row(read):
    assert read("image,class\na,red fox\nb,dog\nc,\n")["a"] == ("red fox",)
    with pytest.raises(InputError, match="`cat dog` looks like several"):
        read("image,class\na,cat dog\nb,dog\nc,cat\n")
    found = read("image,label\na,red fox\na,red fox\nb,polar bear\nc,red fox\n")
    assert found == {"a": ("red fox",), "b": ("polar bear",), "c": ("red fox",)}
    assert "`a` has 2 rows" in next(iter(read.dataset.remarks.values()))


def test_a_column_without_a_1_is_a_class_too(read):
    read("image,cat,bird,dog\na,1,0,0\nb,0,0,1\nc,0,0,0\n")
    assert "the columns cat, bird, dog hold 0 and 1" in read.dataset.remarks["labels.csv"]
    assert read.dataset.classes == ("bird", "cat", "dog")


@pytest.mark.parametrize(
    ("text", "message", "options"),
    [
        ("image,cat,dog\na,1,0\nb,0,\nc,0,1\n", "hold 0 and 1, but `dog` does not", {}),
        ("image,cat,dog\na,1,0\nb,0,-1\nc,0,1\n", "hold 0 and 1, but `dog` does not", {}),
        ("image,age,dog\na,71,0\nb,63,1\nc,2,1\n", "`label_columns: \\[dog\\]`", {}),
        ("image,cat,dog\na,1,0\na,0,1\nb,0,1\n", "different labels", {}),
        ("image,labels,split\na,cat,train\na,dog,val\nb,dog,val\n", "different splits", {}),
        ("file,image_path,tags\n1,2,cat\n", "`file` and `image_path` both may name the images", {}),
        ("image,class_id\na,0\nb,1\n", "`class_id` seems to hold numbers of classes", {}),
        ("image,target\na,0\nb,1\n", "`target` seems to hold numbers of classes", {}),
        ("image,tag,class\na,x,cat\n", "`tag` and `class` both may hold the labels", {}),
        ("image,car,train\na,1,0\nb,0,1\n", "`train` may be a class or may divide", {}),
        ('image,labels\na,"cat\nb,dog\n', "is a quote open", {}),
        ('image,labels\n"a,cat\nb,dog\n', "is a quote open", {}),
        ("image,labels\na,cat\nb,unknown\n", "nobody knows", {}),
        ("image,labels\na,?\nb,dog\n", "nobody knows", {}),
        ("image,labels\na,cats\nb,cat\n", "differs from `cats`", {}),
        ("image,labels\na,1.0\nb,1\n", "differs from `1.0`", {}),
        ("image,labels\na,cat\n", "no column `img`", {"image_column": "img"}),
        ("image,labels\na,cat\n", "no column `tags`", {"label_columns": "tags"}),
        ("image,cat,dog\na,1,7\n", "the column `dog` holds `7`", {"label_columns": ["cat", "dog"]}),
        ("image,none,cat\na,1,1\n", "`none` stands beside other labels", {}),
    ],
)
def test_what_may_be_meant_otherwise_is_refused(read, text, message, options):
    with pytest.raises(InputError, match=message):
        read(text, **options)


def test_columns_that_the_user_names(read):
    text = "photo id,kind,image,age,cat,dog\na,x,1,7,1,0\nb,y,2,8,0,1\nc,z,3,9,0,0\n"
    assert read(text, image_column="photo id", label_columns=["cat", "dog"])["b"] == ("dog",)
    assert read(text, image_column="photo id", label_columns="kind")["b"] == ("y",)
    assert read(text, image_column="photo id", classes=("dog", "cat"))["a"] == ("cat",)
    trains = "image,train,car\na,1,0\nb,0,1\nc,0,0\n"
    assert read(trains, label_columns=["train", "car"])["a"] == ("train",)
    assert read(trains, classes=("train", "car"))["a"] == ("train",)
    assert set(read(trains, split="train", split_column="train")) == {"a"}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("image,labels,is_valid\na,cat,False\nb,dog,True\nc,cat,False\n", {}),
        ("image,labels,is_val\na,cat,0\nb,dog,1\nc,cat,0\n", {}),
        ("image,labels,is_train\na,cat,yes\nb,dog,no\nc,cat,yes\n", {}),
        ("image,cat,dog,is_valid\na,1,0,0\nb,0,1,1\nc,1,0,0\n", {}),
        ("image,labels,fold\na,cat,0\nb,dog,3\nc,cat,1\n", {"split_column": "fold", "val_fold": 3}),
        ("image,labels,fold\na,cat,0.0\nb,dog,3.0\nc,cat,1.0\n", {"split_column": "fold", "val_fold": "3"}),
    ],
)
def test_flags_and_folds(read, text, options):
    assert read(text, split="train", **options) == {"a": ("cat",), "c": ("cat",)}
    assert read(text, split="val", **options) == {"b": ("dog",)}


def test_flags_and_folds_that_are_not_clear(read):
    with pytest.raises(InputError, match=r"`is_valid` .* seems to divide"):  # most files are valid
        read("image,labels,is_valid\na,cat,1\nb,dog,1\nc,cat,0\n")
    with pytest.raises(InputError, match=r"`fold` .* seems to divide.*`val_fold`"):
        read("image,labels,fold\na,cat,0\nb,dog,1\nc,cat,2\n")
    with pytest.raises(InputError, match="no image in the fold `4`"):
        read("image,labels,fold\na,cat,0\nb,dog,1\n", split_column="fold", val_fold=4)
    with pytest.raises(InputError, match="`val_fold` needs a column"):
        read("image,labels\na,cat\nb,dog\n", val_fold=4)


@pytest.mark.parametrize(
    "written",
    [
        "./images/x/b.jpg",
        r".\images\x\b.jpg",
        r"images\x\b.jpg",
        "x/b.jpg",
        "X/B.JPG",
        "/home/me/pets/images/x/b.jpg",
        r"C:\pets\images\x\b.jpg",
        "pets/images/x/b",
        "b.jpg",
    ],
)
def test_paths_as_people_write_them(read, written):
    names = ("images/y/a.jpg", "images/x/b.jpg")
    other = (
        written.replace("x", "y").replace("b", "a").replace("X", "Y").replace("B", "A").replace("yyz", "x")
    )
    assert read(f"image,labels\n{other},cat\n{written},dog\n", names=names) == {"a": ("cat",), "b": ("dog",)}


def test_a_path_of_another_folder_is_not_taken_for_this_one(read):
    names = ("images/train/a.jpg", "images/train/b.jpg")
    found = read("image,labels\ntrain/a.jpg,cat\nval/b.jpg,dog\n", names=names)
    assert found == {"a": ("cat",)} and "no such image" in read.dataset.set_aside["val/b.jpg"]


def test_full_paths_composed_letters_and_case(read, tmp_path):
    assert read(f"image,labels\n{tmp_path}/a.jpg,cat\nb.jpg,dog\n") == {"a": ("cat",), "b": ("dog",)}
    names = ("gru\u0308n.jpg", "Cap.JPG", "cap2.jpg")
    found = read("image,labels\ngr\u00fcn.jpg,cat\ncap.jpg,dog\nCAP2,cat\n", names=names)
    assert list(found.values()) == [("dog",), ("cat",), ("cat",)]


def test_the_order_of_classes_in_a_file(read, tmp_path):
    (tmp_path / "classes.txt").write_text("background\nwolf\ndog\ncat\n\n")
    read("image,labels\na,cat\nb,dog\n")
    assert read.dataset.classes == ("wolf", "dog", "cat")
    with pytest.raises(InputError, match=r"label `bird`, which is not in .*classes\.txt"):
        read("image,labels\na,cat\nb,bird\n")
    (tmp_path / "classes.txt").write_text("cat\ncat\n")
    with pytest.raises(InputError, match=r"classes\.txt names `cat` twice"):
        read("image,labels\na,cat\nb,dog\n")
