import numpy as np
import pytest
import scipy.io
import scipy.sparse
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_mask
from wsseg.errors import InputError

CAT, DOG, PERSON = 8, 12, 15  # VOC's ids.
CLASSES = [[0, CAT, CAT, 0, DOG], [0, CAT, PERSON, 0, DOG]]
OBJECTS = [[0, 1, 1, 0, 3], [0, 1, 2, 0, 3]]
CATEGORIES = [CAT, PERSON, DOG]


def save_struct(path, name, fields):
    """As SBD's files load: a 1 x 1 struct array, boundaries in a cell of sparse matrices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    struct = np.empty((1, 1), [(field, object) for field in fields])
    for field, value in fields.items():
        struct[0, 0][field] = value
    scipy.io.savemat(path, {name: struct}, do_compression=True)


def save_sbd(folder, name, classes=CLASSES, objects=OBJECTS, categories=CATEGORIES):
    edges = np.empty((20, 1), object)
    for row in range(20):
        edges[row, 0] = scipy.sparse.csc_matrix(np.shape(classes), dtype=float)
    present = np.unique(classes)[1:, None].astype(np.uint8)
    fields = {"Boundaries": edges, "Segmentation": np.uint8(classes), "CategoriesPresent": present}
    save_struct(folder / "cls" / f"{name}.mat", "GTcls", fields)
    cell = edges[: len(categories)]
    fields = {
        "Boundaries": cell,
        "Segmentation": np.uint8(objects),
        "Categories": np.uint8(categories)[:, None],
    }
    save_struct(folder / "inst" / f"{name}.mat", "GTinst", fields)


@pytest.fixture
def devkit(tmp_path):
    """VOC trains on `own`, validates on `held`; SBD has `more` and `held` for training, `other` for validation."""
    root = tmp_path / "VOC2012"
    for folder in (
        "JPEGImages",
        "Annotations",
        "SegmentationClass",
        "SegmentationObject",
        "ImageSets/Segmentation",
    ):
        (root / folder).mkdir(parents=True)
    objects = "".join(f"<object><name>{name}</name></object>" for name in ("cat", "person", "dog"))
    for name in ("own", "held", "more", "other"):
        Image.new("RGB", (5, 2)).save(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    for name in ("own", "held"):
        classes = [[255, CAT, CAT, 255, DOG], [255, CAT, PERSON, 255, DOG]]
        numbers = [[255, 1, 1, 255, 4], [255, 1, 2, 255, 4]]
        write_mask(root / "SegmentationClass" / f"{name}.png", np.uint8(classes))
        write_mask(root / "SegmentationObject" / f"{name}.png", np.uint8(numbers))
    lists = root / "ImageSets/Segmentation"
    (lists / "train.txt").write_text("own\n")
    (lists / "val.txt").write_text("held\n")
    sbd = tmp_path / "benchmark_RELEASE" / "dataset"
    for name in ("more", "held", "other", "own"):
        save_sbd(sbd, name)
    (sbd / "train.txt").write_text("more\nheld\nown\n")
    (sbd / "val.txt").write_text("other\n")
    return root


def ids(dataset):
    return [record.id for record in dataset]


def drawn(text):
    """Masks as rows of dots and signs."""
    return [[sign == "#" for sign in row] for row in text.split()]


def test_files_load_as_the_official_ones_do(devkit):
    """The accesses that users of SBD's files write."""
    sbd = devkit.parent / "benchmark_RELEASE/dataset"
    content = scipy.io.loadmat(sbd / "cls/more.mat")
    assert content["GTcls"][0]["Segmentation"][0].tolist() == CLASSES
    content = scipy.io.loadmat(sbd / "inst/more.mat")
    assert content["GTinst"][0]["Segmentation"][0].tolist() == OBJECTS
    assert content["GTinst"][0]["Categories"][0].tolist() == [[CAT], [PERSON], [DOG]]


def test_voc_reads_its_own_objects(devkit):
    dataset = datasets.create("voc", root=devkit)
    assert ids(dataset) == ["own"]
    found = dataset.read_instances(dataset[0])
    assert found.class_ids.tolist() == [CAT, PERSON, DOG]
    assert found.masks.tolist() == [drawn(".##.. .#..."), drawn("..... ..#.."), drawn("....# ....#")]
    assert found.boxes_xyxy.tolist() == [[1, 0, 3, 2], [2, 1, 3, 2], [4, 0, 5, 2]]
    some = datasets.create("voc", root=devkit, classes=("dog", "cat"))
    assert some.read_instances(some[0]).class_ids.tolist() == [2, 1]


def test_own_objects_are_told_by_own_masks_also_beside_augmented_ones(devkit):
    """The augmented mask calls all objects dogs: theirs are still VOC's own classes."""
    (devkit / "SegmentationClassAug").mkdir()
    write_mask(devkit / "SegmentationClassAug/own.png", np.full((2, 5), DOG, np.uint8))
    dataset = datasets.create("voc", root=devkit)
    assert (dataset.read_mask(dataset[0]) == DOG).all()
    assert dataset.read_instances(dataset[0]).class_ids.tolist() == [CAT, PERSON, DOG]
    (devkit / "SegmentationClass/own.png").unlink()
    assert datasets.create("voc", root=devkit)[0].instances is None


def test_sbd_makes_the_augmented_list_and_fills_the_gaps(devkit):
    dataset = datasets.create("voc", root=devkit, sbd=str(devkit.parent / "benchmark_RELEASE"))
    assert ids(dataset) == ["own", "more", "other"]
    assert [record.mask.suffix for record in dataset] == [".png", ".mat", ".mat"]
    assert dataset.read_mask(dataset[0])[0].tolist() == [255, CAT, CAT, 255, DOG]
    assert dataset.read_mask(dataset[1]).tolist() == CLASSES
    found = dataset.read_instances(dataset[1])
    assert found.class_ids.tolist() == [CAT, PERSON, DOG]
    assert found.masks.tolist() == [drawn(".##.. .#..."), drawn("..... ..#.."), drawn("....# ....#")]
    sbd = devkit.parent / "benchmark_RELEASE/dataset"
    assert ids(datasets.create("voc", root=devkit, sbd=sbd, split="val")) == ["held"]
    assert ids(datasets.create("voc", root=devkit, sbd=sbd, split="train_only")) == ["own"]
    (devkit / "ImageSets/Segmentation/trainaug.txt").write_text("other\nown\n")
    assert ids(datasets.create("voc", root=devkit, sbd=sbd)) == ["other", "own"]


def test_some_classes_of_sbd(devkit):
    options = {"classes": ("dog", "cat"), "sbd": devkit.parent / "benchmark_RELEASE/dataset"}
    dataset = datasets.create("voc", root=devkit, labels="masks", other_objects="ignore", **options)
    assert dataset[1].labels == ("dog", "cat")
    assert dataset.read_mask(dataset[1]).tolist() == [[0, 2, 2, 0, 1], [0, 2, 255, 0, 1]]
    assert dataset.read_instances(dataset[1]).class_ids.tolist() == [2, 1]


def test_no_mask_is_left_without_masks(devkit):
    weak = datasets.create(
        "voc", root=devkit, sbd=devkit.parent / "benchmark_RELEASE/dataset"
    ).without_masks()
    for record in weak:
        assert record.mask is None and record.instances is None
        with pytest.raises(InputError, match="has no mask"):
            weak.read_mask(record)
        with pytest.raises(InputError, match="has no instances"):
            weak.read_instances(record)


def test_broken_files_of_sbd_are_named(devkit):
    sbd = devkit.parent / "benchmark_RELEASE/dataset"
    dataset = datasets.create("voc", root=devkit, sbd=sbd)
    record = dataset[1]
    whole = record.mask.read_bytes()
    for broken in (b"", b"no matrix", whole[: len(whole) // 2]):
        record.mask.write_bytes(broken)
        with pytest.raises(InputError, match=r"cls/more\.mat (cannot be read|holds no variable)"):
            dataset.read_mask(record)
    scipy.io.savemat(record.mask, {"GTinst": 1})
    with pytest.raises(InputError, match=r"more\.mat holds no variable `GTcls`"):
        dataset.read_mask(record)
    scipy.io.savemat(record.mask, {"GTcls": {"Other": 1}})
    with pytest.raises(InputError, match=r"more\.mat: `GTcls` is not a struct with the field `Segmentation`"):
        dataset.read_mask(record)
    save_sbd(sbd, "more", classes=[[0, 21, 0, 0, 0]] * 2)
    with pytest.raises(InputError, match=r"mask .*more\.mat holds the value 21"):
        dataset.read_mask(record)
    save_sbd(sbd, "more", classes=[[0, 1, 0, 0]] * 2, objects=[[0, 1, 2, 0]] * 2)
    with pytest.raises(InputError, match=r"more\.mat is 4 x 2 pixels but its image .* is 5 x 2"):
        dataset.read_mask(record)
    with pytest.raises(InputError, match=r"more\.mat are 4 x 2 pixels but their image .* is 5 x 2"):
        dataset.read_instances(record)
    save_sbd(sbd, "more", categories=[CAT, PERSON])
    with pytest.raises(InputError, match=r"more\.mat: object 3 .* no category"):
        dataset.read_instances(record)


def test_a_folder_that_is_not_sbds(devkit):
    with pytest.raises(InputError, match=r"`sbd`: .*VOC2012 has no folder cls"):
        datasets.create("voc", root=devkit, sbd=devkit)
    (devkit.parent / "benchmark_RELEASE/dataset/val.txt").unlink()
    with pytest.raises(InputError, match=r"`sbd`: .*val\.txt cannot be read"):
        datasets.create("voc", root=devkit, sbd=devkit.parent)
