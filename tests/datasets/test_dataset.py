import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_mask
from wsseg.datasets import Dataset, Record
from wsseg.datasets.mask_ids import ILLEGAL, mask_id_table
from wsseg.errors import InputError


def make(folder, mask_values=((0, 1, 2), (2, 255, 0))):
    folder.mkdir(exist_ok=True)
    records = []
    for name, labels in (("a", ("cat",)), ("b", ("cat", "dog")), ("c", ())):
        Image.new("RGB", (3, 2), (1, 2, 3)).save(folder / f"{name}.png")
        write_mask(folder / f"{name}_mask.png", np.array(mask_values, np.uint8))
        records.append(Record(name, folder / f"{name}.png", labels, folder / f"{name}_mask.png"))
    return Dataset("pets", "train", ("cat", "dog"), records, {"z": "broken"})


def test_is_a_sequence_of_records(tmp_path):
    dataset = make(tmp_path)
    assert len(dataset) == 3
    assert [record.id for record in dataset] == ["a", "b", "c"]
    assert dataset[-1].id == "c"
    assert [record.id for record in dataset[:2]] == ["a", "b"]
    assert dataset[1] in dataset
    assert (dataset.name, dataset.split, dataset.classes) == ("pets", "train", ("cat", "dog"))
    assert dataset.set_aside == {"z": "broken"}


def test_label_vector_is_in_class_order(tmp_path):
    dataset = make(tmp_path)
    vectors = np.stack([dataset.label_vector(record) for record in dataset])
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[1, 0], [1, 1], [0, 0]]


def test_reads_image_and_mask(tmp_path):
    dataset = make(tmp_path)
    assert dataset.read_image(dataset[0]).shape == (2, 3, 3)
    mask = dataset.read_mask(dataset[0])
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 1, 2], [2, 255, 0]]


def test_mask_of_another_size_names_both_files_and_sizes(tmp_path):
    dataset = make(tmp_path)
    write_mask(tmp_path / "b_mask.png", np.zeros((2, 4), np.uint8))
    with pytest.raises(InputError, match=r"b_mask\.png is 4 x 2 pixels .*b\.png is 3 x 2"):
        dataset.read_mask(dataset[1])


def test_mask_is_compared_with_the_upright_image(tmp_path):
    dataset = make(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2, 3)).save(tmp_path / "a.png", exif=exif)
    assert dataset.read_mask(dataset[0]).shape == (2, 3)


def test_mask_value_that_is_no_class_is_named(tmp_path):
    dataset = make(tmp_path, mask_values=((0, 1, 2), (3, 255, 0)))
    with pytest.raises(InputError, match=r"a_mask\.png holds the value 3; expected 0 .* 1\.\.2 or 255"):
        dataset.read_mask(dataset[0])


def test_colour_mask_is_refused(tmp_path):
    dataset = make(tmp_path)
    Image.new("RGB", (3, 2)).save(tmp_path / "a_mask.png")
    with pytest.raises(InputError, match=r"a_mask\.png holds RGB"):
        dataset.read_mask(dataset[0])


def test_without_masks_hides_every_mask_and_nothing_else(tmp_path):
    dataset = make(tmp_path)
    weak = dataset.without_masks()
    assert [record.mask for record in weak] == [None] * 3
    assert [(record.id, record.labels) for record in weak] == [
        (record.id, record.labels) for record in dataset
    ]
    assert dataset[0].mask is not None
    with pytest.raises(InputError, match="`a` has no mask"):
        weak.read_mask(weak[0])


def test_subset_keeps_order_and_names_unknown_ids(tmp_path):
    dataset = make(tmp_path)
    assert [record.id for record in dataset.subset(["c", "a"])] == ["a", "c"]
    with pytest.raises(InputError, match="no image `d`"):
        dataset.subset(["a", "d"])


def test_fingerprint_depends_on_content_not_on_place(tmp_path):
    first, moved = make(tmp_path / "here"), make(tmp_path / "there")
    assert first.fingerprint() == moved.fingerprint()
    assert first.subset(["a", "b"]).fingerprint() != first.fingerprint()
    assert first.without_masks().fingerprint() != first.fingerprint()
    records = [Record("a", first[0].image, ("dog",), first[0].mask), *first[1:]]
    assert Dataset("pets", "train", ("cat", "dog"), records).fingerprint() != first.fingerprint()
    assert Dataset("pets", "train", ("dog", "cat"), list(first)).fingerprint() != first.fingerprint()
    Image.new("RGB", (30, 20)).save(tmp_path / "there" / "a.png")
    assert first.fingerprint() != moved.fingerprint()


def test_treatment_of_mask_values_counts_only_with_masks(tmp_path):
    dataset = make(tmp_path)
    table = mask_id_table(("dog", "cat"), ("cat", "dog"))
    other = Dataset("pets", "train", ("cat", "dog"), list(dataset), mask_ids=table)
    assert other.fingerprint() != dataset.fingerprint()
    assert other.without_masks().fingerprint() == dataset.without_masks().fingerprint()


def test_contradictions_are_refused(tmp_path):
    record = Record("a", tmp_path / "a.png", ("cat",))
    with pytest.raises(InputError, match="two images have the id `a`"):
        Dataset("pets", "train", ("cat",), [record, record])
    with pytest.raises(InputError, match="`cat` twice"):
        Dataset("pets", "train", ("cat", "cat"), [])
    with pytest.raises(InputError, match="no class"):
        Dataset("pets", "train", (), [])
    with pytest.raises(InputError, match=r"label `cat`.*did you mean `cats`"):
        Dataset("pets", "train", ("cats",), [record])


def test_mask_ids_of_reordered_and_missing_classes():
    stored = ("bird", "cat", "dog")
    table = mask_id_table(stored, ("dog", "bird"), "ignore")
    assert table[:4].tolist() == [0, 2, 255, 1]
    assert table[255] == 255
    assert (table[4:255] == ILLEGAL).all()
    assert mask_id_table(stored, ("dog", "bird"), "background")[2] == 0
    with pytest.raises(InputError, match="did you mean `bird`"):
        mask_id_table(stored, ("brid",))
    with pytest.raises(InputError, match="other_objects"):
        mask_id_table(stored, ("dog",), "drop")


def test_create_names_the_nearest_dataset_and_option(tmp_path):
    with pytest.raises(InputError, match="unknown dataset `folders`; did you mean `folder`"):
        datasets.create("folders")
    with pytest.raises(InputError, match="no option `label_csv`; did you mean `labels_csv`"):
        datasets.create("folder", root=tmp_path, label_csv="x.csv")
    with pytest.raises(InputError, match="did you mean `classes`"):
        datasets.create("scenes", clases=("daisy",))
    with pytest.raises(InputError, match="`classes` must be a list"):
        datasets.create("folder", root=tmp_path, classes="cat")
