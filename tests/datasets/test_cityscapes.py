import json

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_mask
from wsseg.datasets.cityscapes_truth import CITYSCAPES_CLASSES
from wsseg.errors import InputError

AACHEN, ULM, WEIMAR = "aachen_000000_000019", "ulm_000001_000019", "weimar_000002_000019"
UNLABELED, EGO, ROAD, SKY, PERSON, CAR, TRAILER = 0, 1, 7, 23, 24, 26, 30

# Two cars, a group of cars, a person, a trailer (told apart, not evaluated), road, sky, the ego vehicle.
LABELS = [
    [SKY, SKY, SKY, SKY, UNLABELED, TRAILER],
    [CAR, CAR, CAR, ROAD, PERSON, TRAILER],
    [CAR, CAR, CAR, ROAD, ROAD, CAR],
    [EGO, EGO, EGO, EGO, ROAD, CAR],
]
INSTANCES = [
    [SKY, SKY, SKY, SKY, UNLABELED, 30000],
    [26000, 26000, 26001, ROAD, 24000, 30000],
    [26000, 26001, 26001, ROAD, ROAD, CAR],
    [EGO, EGO, EGO, EGO, ROAD, CAR],
]
OBJECTS = [
    "sky",
    "trailer",
    "car",
    "car",
    "road",
    "person",
    "cargroup",
    "ego vehicle",
    "polegroup",
    "license plate",
]


def add(root, split, name, kind="gtFine", parts=("labelIds", "instanceIds", "polygons"), objects=OBJECTS):
    city = name.split("_")[0]
    images, truth = root / "leftImg8bit" / split / city, root / kind / split / city
    images.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4)).save(images / f"{name}_leftImg8bit.png")
    if parts:
        truth.mkdir(parents=True, exist_ok=True)
    if "labelIds" in parts:
        write_mask(truth / f"{name}_{kind}_labelIds.png", np.uint8(LABELS))
    if "instanceIds" in parts:
        Image.fromarray(np.uint16(INSTANCES)).save(truth / f"{name}_{kind}_instanceIds.png")
    if "polygons" in parts:
        drawn = [{"label": label, "polygon": [[0, 0], [3, 0], [3, 3]]} for label in objects]
        content = {"imgHeight": 4, "imgWidth": 6, "objects": drawn}
        (truth / f"{name}_{kind}_polygons.json").write_text(json.dumps(content))
    return truth


@pytest.fixture
def root(tmp_path):
    add(tmp_path, "train", AACHEN)
    add(tmp_path, "train", ULM)
    add(tmp_path, "val", WEIMAR)
    return tmp_path


def ids(dataset):
    return [record.id for record in dataset]


def test_train_ids_are_the_official_ones():
    """labels.py of cityscapesScripts: road is 0, person 11, car 13, bicycle 18."""
    assert len(CITYSCAPES_CLASSES) == 19
    assert [CITYSCAPES_CLASSES[train_id] for train_id in (0, 7, 11, 13, 16, 18)] == [
        "road", "traffic sign", "person", "car", "train", "bicycle",
    ]  # fmt: skip


def test_masks_are_train_ids_plus_one_and_the_rest_is_ignored(root):
    dataset = datasets.create("cityscapes", root=root)
    assert ids(dataset) == [AACHEN, ULM] and dataset.classes == CITYSCAPES_CLASSES
    assert dataset[0].labels == ("road", "sky", "person", "car")
    road, sky, person, car = 1, 11, 12, 14
    assert dataset.read_mask(dataset[0]).tolist() == [
        [sky, sky, sky, sky, 255, 255],
        [car, car, car, road, person, 255],
        [car, car, car, road, road, car],
        [255, 255, 255, 255, road, car],
    ]


def test_objects_and_groups(root):
    dataset = datasets.create("cityscapes", root=root)
    with Image.open(dataset[0].instances) as image:
        assert image.mode.startswith("I")  # 16 bits, as the official files have
    found = dataset.read_instances(dataset[0])
    assert found.class_ids.tolist() == [14, 12, 14, 14] and found.crowd.tolist() == [
        True,
        False,
        False,
        False,
    ]
    values = np.array(INSTANCES)
    for mask, value in zip(found.masks, (CAR, 24000, 26000, 26001), strict=True):
        assert (mask == (values == value)).all()
    assert found.boxes_xyxy.tolist() == [[5, 2, 6, 4], [4, 1, 5, 2], [0, 1, 2, 3], [1, 1, 3, 3]]


def test_some_classes(root):
    dataset = datasets.create("cityscapes", root=root, classes=("person", "road"))
    assert dataset.read_mask(dataset[0])[:2].tolist() == [[0, 0, 0, 0, 255, 255], [0, 0, 0, 2, 1, 255]]
    assert dataset.read_instances(dataset[0]).class_ids.tolist() == [1]
    ignoring = datasets.create("cityscapes", root=root, classes=("person", "road"), other_objects="ignore")
    assert ignoring.read_mask(ignoring[0])[1].tolist() == [255, 255, 255, 2, 1, 255]
    with pytest.raises(InputError, match="did you mean `person`"):
        datasets.create("cityscapes", root=root, classes=("persons",))
    with pytest.raises(InputError, match=r"no image .* can be used: of 2, 0 set aside"):
        datasets.create("cityscapes", root=root, classes=("bicycle",))


def test_labels_of_masks_and_of_polygons(root):
    truth = add(root, "train", ULM, objects=["cargroup", "sidewalk", "polegroup"])
    path = truth / f"{ULM}_gtFine_polygons.json"
    content = json.loads(path.read_text())
    content["objects"].append({"label": "bus", "polygon": [], "deleted": 1})
    path.write_text(json.dumps(content))
    assert datasets.create("cityscapes", root=root)[1].labels == ("sidewalk", "car")
    from_masks = datasets.create("cityscapes", root=root, labels="masks")
    assert from_masks[1].labels == ("road", "sky", "person", "car")
    assert [(record.mask, record.instances) for record in from_masks.without_masks()] == [(None, None)] * 2


def test_coarse_annotations(root):
    add(root, "train_extra", "bad-honnef_000000_000000", kind="gtCoarse")
    dataset = datasets.create("cityscapes", root=root, split="train_extra", annotations="coarse")
    assert dataset[0].mask.name == "bad-honnef_000000_000000_gtCoarse_labelIds.png"
    assert len(dataset.read_instances(dataset[0])) == 4
    with pytest.raises(InputError, match=r"gtFine/train_extra does not exist.*try `annotations: coarse`"):
        datasets.create("cityscapes", root=root, split="train_extra")
    with pytest.raises(InputError, match=r"gtCoarse/train does not exist.*try `annotations: fine`"):
        datasets.create("cityscapes", root=root, annotations="coarse")


def test_a_city_without_annotations_is_set_aside(root):
    add(root, "train", "zurich_000000_000019", parts=())
    add(root, "train", "zurich_000001_000019", parts=())
    dataset = datasets.create("cityscapes", root=root)
    assert ids(dataset) == [AACHEN, ULM]
    assert (
        "gtFine/train/zurich does not exist: the images of this city"
        in dataset.set_aside["zurich_000000_000019"]
    )
    everything = datasets.create("cityscapes", root=root, allow_unlabelled=True)
    assert len(everything) == 4 and everything[3].mask is None and everything[3].labels == ()
    assert everything.set_aside == {}


def test_halves_of_annotations(root):
    add(root, "train", "bochum_000000_000019", parts=("labelIds", "instanceIds"))
    add(root, "train", "bremen_000000_000019", parts=("polygons", "instanceIds"))
    add(root, "train", "erfurt_000000_000019", parts=("polygons", "labelIds"))
    dataset = datasets.create("cityscapes", root=root)
    assert (
        "polygons.json does not exist, so the image has no labels"
        in dataset.set_aside["bochum_000000_000019"]
    )
    bremen, erfurt = dataset.subset(["bremen_000000_000019", "erfurt_000000_000019"])
    assert bremen.mask is None and bremen.instances is None and bremen.labels
    assert erfurt.mask is not None and erfurt.instances is None
    with pytest.raises(InputError, match="`bremen_000000_000019` has no mask"):
        dataset.read_mask(bremen)
    from_masks = datasets.create("cityscapes", root=root, labels="masks")
    assert "labelIds.png does not exist" in from_masks.set_aside["bremen_000000_000019"]


def test_the_test_split(root):
    """Its official annotations are of the ego vehicle and the image's border alone."""
    name = "berlin_000000_000019"
    truth = add(root, "test", name, objects=["ego vehicle", "out of roi"])
    write_mask(truth / f"{name}_gtFine_labelIds.png", np.full((4, 6), EGO, np.uint8))
    with pytest.raises(
        InputError, match=r"no image of split `test` .*`allow_unlabelled` keeps images without"
    ):
        datasets.create("cityscapes", root=root, split="test")
    dataset = datasets.create("cityscapes", root=root, split="test", allow_unlabelled=True)
    assert dataset[0].labels == () and (dataset.read_mask(dataset[0]) == 255).all()


def test_broken_files_are_named(root):
    truth = root / "gtFine/train/aachen"
    (truth / f"{AACHEN}_gtFine_polygons.json").write_text('{"objects": [')
    (root / f"gtFine/train/ulm/{ULM}_gtFine_polygons.json").write_text('{"objects": ["car"]}')
    with pytest.raises(InputError, match=r"2 set aside \(first: .*polygons\.json cannot be read"):
        datasets.create("cityscapes", root=root)
    dataset = datasets.create("cityscapes", root=root, labels="masks")
    record = dataset[0]
    write_mask(record.mask, np.full((4, 6), 34, np.uint8))
    with pytest.raises(
        InputError, match=r"labelIds\.png holds the value 34; expected 0, class ids 1\.\.33 or 255"
    ):
        dataset.read_mask(record)
    for value in (34, 34000, 999):
        Image.fromarray(np.full((4, 6), value, np.uint16)).save(record.instances)
        with pytest.raises(
            InputError, match=rf"instanceIds\.png hold the value {value}, which belongs to no label"
        ):
            dataset.read_instances(record)
    Image.fromarray(np.full((4, 6), 24, np.uint8)).save(record.instances)
    with pytest.raises(InputError, match=r"instanceIds\.png holds L pixels; expected Cityscapes' 16-bit"):
        dataset.read_instances(record)
    Image.fromarray(np.full((4, 5), 24000, np.uint16)).save(record.instances)
    with pytest.raises(InputError, match=r" are 5 x 4 pixels but their image .* is 6 x 4"):
        dataset.read_instances(record)
    record.instances.write_bytes(b"no png")
    with pytest.raises(InputError, match=r"instances .*instanceIds\.png cannot be read"):
        dataset.read_instances(record)


def test_wrong_places_and_options(root):
    with pytest.raises(InputError, match="needs `root`"):
        datasets.create("cityscapes")
    with pytest.raises(InputError, match="has no folder leftImg8bit"):
        datasets.create("cityscapes", root=root / "gtFine")
    with pytest.raises(InputError, match="no split `vall`; did you mean `val`"):
        datasets.create("cityscapes", root=root, split="vall")
    with pytest.raises(InputError, match="fine or coarse"):
        datasets.create("cityscapes", root=root, annotations="rough")
    with pytest.raises(InputError, match="polygons or masks"):
        datasets.create("cityscapes", root=root, labels="xml")
    (root / "leftImg8bit/empty").mkdir()
    (root / "gtFine/empty").mkdir()
    with pytest.raises(InputError, match="leftImg8bit/empty holds no image"):
        datasets.create("cityscapes", root=root, split="empty")


def test_masks_of_train_ids_and_without_polygons(tmp_path):
    """labels.py of cityscapesScripts: sky is train id 10, car 13, road 0, person 11, and trailer 255."""
    from small_run.in_process import run_quietly

    add(tmp_path, "train", AACHEN, parts=("labelIds",))
    add(tmp_path, "val", WEIMAR, parts=("labelIds",))
    with pytest.raises(
        InputError, match=r"polygons\.json does not exist.*`labels: masks` takes them from the mask"
    ):
        datasets.create("cityscapes", root=tmp_path)
    by_labels = datasets.create("cityscapes", root=tmp_path, labels="masks")
    assert by_labels[0].labels == ("road", "sky", "person", "car")
    path = by_labels[0].mask
    train_ids = {SKY: 10, CAR: 13, ROAD: 0, PERSON: 11}
    values = np.array([[train_ids.get(value, 255) for value in row] for row in LABELS], np.uint8)
    expected = by_labels.read_mask(by_labels[0])
    path.unlink()
    write_mask(path.with_name(path.name.replace("labelIds", "labelTrainIds")), values)
    dataset = datasets.create("cityscapes", root=tmp_path, labels="masks")
    assert dataset[0].labels == by_labels[0].labels
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), expected)
    np.testing.assert_array_equal(expected, np.where(values == 255, 255, values + 1))
    _, said = run_quietly("datasets", "check", tmp_path)
    assert "labels: masks   # there are no polygons" in said and "cannot be read" not in said
    write_mask(dataset[0].mask, np.full_like(values, 19))
    with pytest.raises(InputError, match="the value 19, which is no train id"):
        datasets.create("cityscapes", root=tmp_path, labels="masks")
