import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_mask
from wsseg.errors import InputError


def write_images(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (5, 6, 7)).save(path)


def write_table(folder, text, name="labels.csv", encoding="utf-8"):
    (folder / name).write_text(text, encoding=encoding)


def labels_by_id(dataset):
    return {record.id: record.labels for record in dataset}


def test_labels_by_spaces_and_names_with_or_without_extension(tmp_path):
    write_images(tmp_path, ["images/a.png", "images/b.png"])
    write_table(tmp_path, "image,labels\na.png,dog cat\nb,dog\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert labels_by_id(dataset) == {"a": ("cat", "dog"), "b": ("dog",)}
    assert dataset[0].image == tmp_path / "images" / "a.png"
    assert dataset[0].mask is None


def test_a_semicolon_anywhere_lets_class_names_hold_spaces(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    write_table(tmp_path, "image,labels\na.png,red fox; polar bear\nb.png,red fox\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert dataset.classes == ("polar bear", "red fox")
    assert labels_by_id(dataset)["b"] == ("red fox",)


@pytest.mark.parametrize("name", ["größe 1.jpg", "日本 語.png", "a.b.c.jpg", "IMG (2).JPEG", "100%.png"])
@pytest.mark.parametrize("extension", [True, False])
def test_any_file_name(tmp_path, name, extension):
    write_images(tmp_path, [f"images/deep down/{name}"])
    stem = name.rsplit(".", 1)[0]
    write_table(tmp_path, f"image,labels\n{name if extension else stem},cat\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert [record.id for record in dataset] == [stem]


def test_byte_order_mark_and_carriage_returns(tmp_path):
    write_images(tmp_path, ["a.png"])
    write_table(tmp_path, "image,labels\r\na.png,cat\r\n", encoding="utf-8-sig")
    assert labels_by_id(datasets.create("folder", split="all", root=tmp_path)) == {"a": ("cat",)}


def test_a_dot_in_the_stem_does_not_hit_another_image(tmp_path):
    write_images(tmp_path, ["a.png", "a.1.png"])
    write_table(tmp_path, "image,labels\na.1,cat\na,dog\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert labels_by_id(dataset) == {"a": ("dog",), "a.1": ("cat",)}


def test_same_stem_twice_gives_paths_as_ids(tmp_path):
    write_images(tmp_path, ["x/a.png", "y/a.jpg", "images/b.png"])
    write_table(tmp_path, "image,labels\na,cat\n")
    with pytest.raises(InputError, match=r"`a` may be .*a\.png or .*a\.jpg"):
        datasets.create("folder", split="all", root=tmp_path)
    write_table(tmp_path, "image,labels\na.png,cat\na.jpg,dog\nb,cat\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert labels_by_id(dataset) == {"b": ("cat",), "x__a": ("cat",), "y__a": ("dog",)}
    write_images(tmp_path, ["x/a.jpg"])
    write_table(tmp_path, "image,labels\nx/a.png,cat\nx/a.jpg,cat\n")
    with pytest.raises(InputError, match=r"line 3: `x/a\.jpg` and `x/a\.png` both have the id `x__a`"):
        datasets.create("folder", split="all", root=tmp_path)


def test_masks_are_found_by_stem_and_are_no_images(tmp_path):
    write_images(tmp_path, ["images/a.png", "images/b.png"])
    (tmp_path / "masks").mkdir()
    write_mask(tmp_path / "masks" / "a.png", np.ones((16, 20), np.uint8))
    write_table(tmp_path, "image,labels\na,cat\nb,cat\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert [record.mask is not None for record in dataset] == [True, False]
    assert (dataset.read_mask(dataset[0]) == 1).all()
    required = datasets.create("folder", split="all", root=tmp_path, require_masks=True)
    assert list(labels_by_id(required)) == ["a"]
    assert "no mask" in required.set_aside["b"]


def test_split_column(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    write_table(tmp_path, "image,labels,split\na,cat,train\nb,dog,val\nc,cat,train\n")
    assert list(labels_by_id(datasets.create("folder", split="train", root=tmp_path))) == ["a", "c"]
    val = datasets.create("folder", split="val", root=tmp_path)
    assert labels_by_id(val) == {"b": ("dog",)}
    assert val.classes == ("cat", "dog")  # Of the whole file: the splits must agree on ids.
    with pytest.raises(InputError, match="no image in split `trian`; did you mean `train`"):
        datasets.create("folder", split="trian", root=tmp_path)


def test_hash_split_is_stable_disjoint_and_about_the_share(tmp_path):
    names = [f"image {k}" for k in range(200)]
    write_images(tmp_path, [f"{name}.png" for name in names])
    write_table(tmp_path, "image,labels\n" + "".join(f"{name},cat\n" for name in names))
    train = set(labels_by_id(datasets.create("folder", split="train", root=tmp_path)))
    val = set(labels_by_id(datasets.create("folder", split="val", root=tmp_path)))
    assert train | val == set(names)
    assert not train & val
    assert 22 <= len(val) <= 58  # 40 expected; 3.3 standard deviations of 5.7.
    larger = set(labels_by_id(datasets.create("folder", split="val", root=tmp_path, val_share=0.5)))
    assert val < larger
    # Fewer images: those that stay keep their split.
    write_table(tmp_path, "image,labels\n" + "".join(f"{name}.png,cat\n" for name in names[::2]))
    assert set(labels_by_id(datasets.create("folder", split="val", root=tmp_path))) == val & set(names[::2])


def test_closed_class_list(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    write_table(tmp_path, "image,labels\na,dog\nb,cat dgo\nc,dgo\n")
    with pytest.raises(
        InputError, match=r"labels\.csv, line 3: image `b` has the label `dgo`.*did you mean `dog`"
    ):
        datasets.create("folder", split="all", root=tmp_path, classes=("dog", "cat"))
    dataset = datasets.create(
        "folder", split="all", root=tmp_path, classes=("dog", "cat"), unknown_labels="ignore"
    )
    assert dataset.classes == ("dog", "cat")
    assert labels_by_id(dataset) == {"a": ("dog",), "b": ("cat",)}
    assert "not in `classes`" in dataset.set_aside["c"]


def test_missing_and_unlabelled_images_are_set_aside(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    write_table(tmp_path, "image,labels\na,cat\nb,\ngone.png,cat\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert list(labels_by_id(dataset)) == ["a"]
    assert "no label in labels.csv, line 3" in dataset.set_aside["b"]
    assert "no such image" in dataset.set_aside["gone.png"]
    allowed = datasets.create("folder", split="all", root=tmp_path, allow_unlabelled=True)
    assert labels_by_id(allowed) == {"a": ("cat",), "b": ()}
    assert allowed.label_vector(allowed[1]).tolist() == [0]


def test_another_table(tmp_path):
    write_images(tmp_path, ["a.png"])
    write_table(tmp_path, "image,labels\na,cat\n", name="tags.csv")
    assert len(datasets.create("folder", split="all", root=tmp_path, labels_csv="tags.csv")) == 1


def refuse(tmp_path, match, **options):
    with pytest.raises(InputError, match=match):
        datasets.create("folder", split="all", **{"root": tmp_path, **options})


def test_wrong_folders(tmp_path):
    refuse(None, "needs `root`")
    refuse(tmp_path / "none", "is not a folder")
    refuse(tmp_path, "holds no image; expected files such as")
    write_images(tmp_path, ["a.png"])
    refuse(tmp_path, r"labels\.csv does not exist; expected a CSV with the header `image,labels`")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "must begin with the header line"),
        ("thing,what\na,cat\n", "got `thing,what`"),
        ("image,labels\n", "lists no image"),
        ("image,labels\n,cat\n", "line 2: no image name"),
        ("image,labels\na,cat,dog\n", "line 2: more cells"),
        ("image,labels\na,cat\na,none\n", "line 3: image `a` is already on line 2, .*labels and none"),
        ("image,labels\na,\n", "holds no label"),
    ],
)
def test_wrong_tables(tmp_path, text, match):
    write_images(tmp_path, ["a.png"])
    write_table(tmp_path, text)
    refuse(tmp_path, match)


def test_table_that_is_no_text(tmp_path):
    write_images(tmp_path, ["a.png"])
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00\x00")
    refuse(tmp_path, "holds zero bytes")
    (tmp_path / "labels.csv").write_bytes("image,labels\na,gr\u00fcn\n".encode("latin-1"))
    refuse(tmp_path, "is no text in UTF-8")


def test_wrong_options_and_nothing_usable(tmp_path):
    write_images(tmp_path, ["a.png"])
    write_table(tmp_path, "image,labels\nb,cat\n")
    refuse(tmp_path, "val_share", val_share=1.0)
    refuse(tmp_path, "unknown_labels", unknown_labels="drop")
    refuse(tmp_path, "can be used; 2 set aside, such as `b`")


def test_an_image_without_a_row_is_set_aside(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    write_table(tmp_path, "image,labels\na,cat\nb,dog\n")
    dataset = datasets.create("folder", split="all", root=tmp_path)
    assert [record.id for record in dataset] == ["a", "b"]
    assert dataset.set_aside == {"c": "not listed in labels.csv, so it has no label"}


@pytest.mark.parametrize("ids", ["ab", "cd", "xyz", "pq"])
def test_two_images_are_enough_for_both_splits(tmp_path, ids):
    write_images(tmp_path, [f"{name}.png" for name in ids])
    write_table(tmp_path, "image,labels\n" + "".join(f"{name},cat\n" for name in ids))
    splits = [datasets.create("folder", split=split, root=tmp_path) for split in ("train", "val")]
    assert all(len(split) for split in splits)
    assert sorted(record.id for split in splits for record in split) == sorted(ids)
