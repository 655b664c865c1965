import json
import pickle

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_mask
from wsseg.errors import InputError
from wsseg.objects import coco_annotations as coco_index

CATEGORIES = [
    {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 13, "name": "stop sign", "supercategory": "outdoor"},  # 12 is missing in COCO, too
]
SIZE_HW = (6, 10)


def box(left, top, width, height):
    """A rectangle's corners on pixel edges: its pixels are those between them."""
    right, bottom = left + width, top + height
    return [left, top, right, top, right, bottom, left, bottom]


def drawn(*rows):
    return np.array([[".12345678#".index(sign) for sign in row] for row in rows]).astype(np.uint8)


def runs_of(mask):
    """COCO's uncompressed run lengths: down the columns, beginning with zeros."""
    runs, value, length = [], 0, 0
    for pixel in np.asarray(mask).T.ravel():
        if pixel != value:
            runs.append(length)
            value, length = pixel, 0
        length += 1
    return [*runs, length]


CROWD = drawn("..........", "..........", "..........", "..........", ".....11111", ".....11111")


def annotation(number, image, category, bbox, polygons=None, **more):
    segmentation = [box(*bbox)] if polygons is None else polygons
    area = bbox[2] * bbox[3]
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": list(bbox), "area": area, "iscrowd": 0,
        "segmentation": segmentation, **more,
    }  # fmt: skip


def instances():
    """One image with overlapping objects and a crowd, one with part of an object outside, one with none."""
    names = {139: "000000000139.jpg", 285: "000000000285.jpg", 632: "000000000632.jpg"}
    return {
        "info": {"year": 2017},
        "licenses": [],
        "images": [
            {"id": number, "file_name": name, "height": SIZE_HW[0], "width": SIZE_HW[1], "license": 1}
            for number, name in names.items()
        ],
        "annotations": [
            annotation(11, 139, 90, (2, 1, 2, 2)),  # in front of the next, being smaller
            annotation(12, 139, 1, (1, 1, 5, 4)),
            annotation(
                900100000139, 139, 1, (5, 4, 5, 2),
                {"size": list(SIZE_HW), "counts": runs_of(CROWD)}, iscrowd=1,
            ),
            annotation(13, 285, 13, (8, 3, 6, 9)),
        ],
        "categories": [dict(category) for category in CATEGORIES],
    }  # fmt: skip


@pytest.fixture
def root(tmp_path):
    write(tmp_path, instances())
    (tmp_path / "train2017").mkdir()
    for image in instances()["images"]:
        Image.new("RGB", SIZE_HW[::-1]).save(tmp_path / "train2017" / image["file_name"])
    return tmp_path


def write(root, content, name="instances_train2017"):
    (root / "annotations").mkdir(exist_ok=True)
    path = root / "annotations" / f"{name}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(root, change):
    """Write the annotations with a change made to them."""
    content = instances()
    change(content)
    return write(root, content)


def ids(dataset):
    return [record.id for record in dataset]


def test_gaps_between_category_ids_are_closed(root):
    dataset = datasets.create("coco", root=root)
    assert dataset.classes == ("person", "stop sign", "toothbrush")
    assert [(record.id, record.labels) for record in dataset] == [
        ("000000000139", ("person", "toothbrush")),
        ("000000000285", ("stop sign",)),
    ]
    assert dataset.label_vector(dataset[0]).tolist() == [1, 0, 1]
    assert dataset.left_out == dataset.set_aside == {}


def test_mask_drawn_by_hand(root):
    """The smaller object in front of the larger, the crowd (ninth sign: 255) behind both."""
    dataset = datasets.create("coco", root=root)
    expected = drawn("..........", ".1331.....", ".1331.....", ".1111.....", ".1111.....", "..........")
    expected[1:5, 5] = 1
    expected[4, 6:] = expected[5, 5:] = 255
    assert dataset.read_mask(dataset[0]).tolist() == expected.tolist()


def test_objects_with_crowd_flags(root):
    dataset = datasets.create("coco", root=root)
    found = dataset.read_instances(dataset[0])
    assert found.class_ids.tolist() == [3, 1, 1] and found.crowd.tolist() == [False, False, True]
    assert found.boxes_xyxy.tolist() == [[2, 1, 4, 3], [1, 1, 6, 5], [5, 4, 10, 6]]
    expected = np.zeros((3, *SIZE_HW), bool)
    expected[0, 1:3, 2:4] = expected[1, 1:5, 1:6] = True
    expected[2] = CROWD == 1
    assert (found.masks == expected).all()


def test_what_lies_outside_the_image_is_cut_off(root):
    dataset = datasets.create("coco", root=root)
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[3:, 8:] = 2
    assert dataset.read_mask(dataset[1]).tolist() == expected.tolist()
    assert dataset.read_instances(dataset[1]).boxes_xyxy.tolist() == [[8, 3, 10, 6]]
    changed(root, lambda content: content["annotations"].append(annotation(20, 285, 1, (-3, -2, 5, 4))))
    dataset = datasets.create("coco", root=root)
    expected[:2, :2] = 1
    assert dataset.read_mask(dataset[1]).tolist() == expected.tolist()


def test_a_slanted_polygon_against_the_centres_of_pixels(root):
    """COCO's rasteriser and the rule "a pixel is inside if its centre is" differ at most along the edges."""
    corners = [(1.3, 0.4), (9.2, 2.1), (5.6, 5.7)]

    def inside(x, y):
        signs = []
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            signs.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0)
        return len(set(signs)) == 1

    def distance(x, y):
        lines = zip(corners, corners[1:] + corners[:1], strict=True)
        return min(
            abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / np.hypot(x1 - x0, y1 - y0)
            for (x0, y0), (x1, y1) in lines
        )

    polygon = [value for corner in corners for value in corner]
    changed(root, lambda content: content["annotations"][3].update(segmentation=[polygon], bbox=[1, 0, 8, 5]))
    dataset = datasets.create("coco", root=root)
    mask = dataset.read_mask(dataset[1])
    centres = [
        (row, column) for row in range(6) for column in range(10) if distance(column + 0.5, row + 0.5) > 0.5
    ]
    assert len(centres) > 30
    assert {inside(column + 0.5, row + 0.5) for row, column in centres} == {True, False}
    for row, column in centres:
        assert (mask[row, column] == 2) == inside(column + 0.5, row + 0.5)


def test_some_classes(root):
    dataset = datasets.create("coco", root=root, classes=("toothbrush",))
    assert ids(dataset) == ["000000000139"]
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[1:3, 2:4] = 1
    assert dataset.read_mask(dataset[0]).tolist() == expected.tolist()
    assert dataset.read_instances(dataset[0]).class_ids.tolist() == [1]
    ignoring = datasets.create("coco", root=root, classes=("toothbrush",), other_objects="ignore")
    expected[(expected == 0) & (CROWD == 1)] = 255
    expected[1:5, 1:6] = np.where(expected[1:5, 1:6] == 1, 1, 255)
    assert ignoring.read_mask(ignoring[0]).tolist() == expected.tolist()
    with pytest.raises(InputError, match="did you mean `person`"):
        datasets.create("coco", root=root, classes=("persn",))


def test_a_small_object_of_another_class_hides_a_larger_one(root):
    dataset = datasets.create("coco", root=root, classes=("person",))
    mask = dataset.read_mask(dataset[0])
    assert mask[1:3, 2:4].tolist() == [[0, 0], [0, 0]] and mask[1, 1] == 1


def test_unlabelled_images(root):
    dataset = datasets.create("coco", root=root, allow_unlabelled=True)
    assert ids(dataset) == ["000000000139", "000000000285", "000000000632"]
    assert not dataset.read_mask(dataset[2]).any()
    found = dataset.read_instances(dataset[2])
    assert len(found) == 0 and found.masks.shape == (0, *SIZE_HW)


def test_the_file_is_read_once_and_masks_only_when_asked_for(root, monkeypatch):
    coco_index._read.cache_clear()
    loads, read = json.loads, []
    monkeypatch.setattr(json, "loads", lambda *args, **kwargs: read.append(1) or loads(*args, **kwargs))
    monkeypatch.setattr("wsseg.datasets.coco_truth.decode_mask", None)  # calling it fails
    dataset = datasets.create("coco", root=root)
    datasets.create("coco", root=root)
    assert len(dataset) == 2 and len(read) == 1
    monkeypatch.undo()
    monkeypatch.setattr(json, "loads", None)
    assert dataset.read_mask(dataset[0]).any() and len(dataset.read_instances(dataset[0])) == 3
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.read_mask(copy[0]).tolist() == dataset.read_mask(dataset[0]).tolist()
    assert len(pickle.dumps(dataset)) < 4000  # without the annotations


def test_without_masks_nothing_of_them_is_left(root):
    weak = datasets.create("coco", root=root).without_masks()
    assert [(record.mask, record.instances) for record in weak] == [(None, None)] * 2
    with pytest.raises(InputError, match="has no mask"):
        weak.read_mask(weak[0])
    with pytest.raises(InputError, match="has no instances"):
        weak.read_instances(weak[0])


def test_an_earlier_year_and_other_names(root):
    (root / "annotations/instances_train2017.json").rename(root / "annotations/instances_train2014.json")
    with pytest.raises(InputError, match="train2014 does not exist"):
        datasets.create("coco", root=root)
    (root / "images").mkdir()
    (root / "train2017").rename(root / "images/train2014")
    assert len(datasets.create("coco", root=root)) == 2
    (root / "annotations/instances_train2014.json").rename(root / "my labels.json")
    own = datasets.create("coco", root=root, annotations="my labels.json", images="images/train2014")
    assert len(own) == 2


def test_objects_that_cannot_be_used_are_listed(root):
    bad = {
        31: annotation(31, 285, 1, (3, 3, 0, 2)),
        32: annotation(32, 285, 1, (3, 3, 2, 0)),
        33: annotation(33, 285, 1, (30, 3, 2, 2)),
        34: annotation(34, 285, 1, (3, 3, 2, 2), [[1, 1, 2, 2]]),
        35: annotation(35, 285, 1, (3, 3, 2, 2), [[1, 1, 2, 2, 3, 3, 4]]),
        36: annotation(36, 285, 1, (3, 3, 2, 2), [["a", 1, 2, 2, 3, 3]]),
        37: annotation(37, 285, 1, (3, 3, 2, 2), {"size": [10, 6], "counts": [60]}),
        38: annotation(38, 285, 1, (3, 3, 2, 2), {"size": [6, 10], "counts": [50, 9]}),
        39: annotation(39, 285, 1, (3, 3, 2, 2), []),
        40: annotation(40, 285, 1, (3, 3, float("nan"), 2)),
        41: annotation(41, 77, 1, (3, 3, 2, 2)),
        42: annotation(42, 285, 1, (3, 3, 2, 2), [[float("nan"), 1, 2, 2, 3, 3]]),
    }
    changed(root, lambda content: content["annotations"].extend(bad.values()))
    dataset = datasets.create("coco", root=root)
    assert dataset[1].labels == ("stop sign",)
    reasons = {int(name.split()[1]): reason for name, reason in dataset.left_out.items()}
    assert set(reasons) == set(bad)
    assert "no area" in reasons[31] and "no area" in reasons[32] and "outside the image" in reasons[33]
    assert all("three corners" in reasons[number] for number in (34, 35, 36))
    assert "do not have the image's size [6, 10]" in reasons[37] and "do not add up" in reasons[38]
    assert "no segmentation" in reasons[39] and "`bbox` must be" in reasons[40]
    assert "not listed in the file" in reasons[41] and "not a finite number" in reasons[42]


def test_a_compressed_mask_that_is_garbage(root):
    def break_it(content):
        content["annotations"][3].update(segmentation={"size": list(SIZE_HW), "counts": "zzz\x7f"})

    changed(root, break_it)
    dataset = datasets.create("coco", root=root)
    with pytest.raises(InputError, match=r"instances_train2017\.json: an object of image `000000000285`: "):
        dataset.read_mask(dataset[1])
    with pytest.raises(InputError, match=r"instances_train2017\.json: an object"):
        dataset.read_instances(dataset[1])


def test_boxes_alone(root):
    changed(root, lambda content: [entry.pop("segmentation") for entry in content["annotations"]])
    dataset = datasets.create("coco", root=root)
    assert [record.mask for record in dataset] == [None, None] and dataset.left_out == {}
    found = dataset.read_instances(dataset[0])
    assert found.masks is None and len(found) == 3


def test_missing_and_repeated_images(root):
    (root / "train2017/000000000139.jpg").unlink()

    def repeat(content):
        content["images"].append({"id": 5, "file_name": "000000000285.png", "height": 6, "width": 10})

    changed(root, repeat)
    dataset = datasets.create("coco", root=root)
    assert ids(dataset) == ["000000000285"]
    assert (
        "000000000139.jpg does not exist, but instances_train2017.json lists"
        in dataset.set_aside["000000000139"]
    )
    assert "same name" in dataset.set_aside["000000000285.png"]
    (root / "train2017/000000000285.jpg").unlink()
    with pytest.raises(
        InputError, match=r"no image of .*instances_train2017\.json can be used: of 3, 3 set aside"
    ):
        datasets.create("coco", root=root)


def test_a_mask_of_another_size_than_its_image(root):
    Image.new("RGB", (4, 4)).save(root / "train2017/000000000139.jpg")
    dataset = datasets.create("coco", root=root)
    with pytest.raises(
        InputError, match=r"train2017\.json is 10 x 6 pixels but its image .*139\.jpg is 4 x 4"
    ):
        dataset.read_mask(dataset[0])
    with pytest.raises(InputError, match=r" are 10 x 6 pixels but their image .*139\.jpg is 4 x 4"):
        dataset.read_instances(dataset[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("annotations"), "holds no list `annotations`"),
        (lambda content: content.update(images={}), "holds no list `images`"),
        (lambda content: content.update(categories=[]), "has no category"),
        (
            lambda content: content["annotations"][0].update(category_id=12),
            "annotation 11 .* has the category 12",
        ),
        (
            lambda content: content["annotations"][0].update(category_id=[1]),
            "annotation 11 .* a whole number",
        ),
        (lambda content: content["annotations"][0].update(image_id=[1]), "needs one `image_id`"),
        (
            lambda content: content["annotations"][0].pop("image_id"),
            "entry of `annotations` has no `image_id`",
        ),
        (lambda content: content["annotations"].append(3), "entry of `annotations` has no `image_id`: 3"),
        (lambda content: content["images"][0].pop("width"), "entry of `images` has no `width`"),
        (lambda content: content["images"][0].update(height="6"), "needs `file_name`, `height` and `width`"),
        (lambda content: content["images"][0].update(id=285), "image id 285 is not unique"),
        (lambda content: content["categories"][0].update(id=1), "a unique whole number"),
        (lambda content: content["categories"][0].update(name="person"), "names `person` twice"),
    ],
)
def test_contradictions_name_the_entry(root, change, message):
    changed(root, change)
    with pytest.raises(InputError, match=message):
        datasets.create("coco", root=root)


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", '{"images": [', '"\udcff"'.encode("utf-8", "surrogateescape")]
)
def test_broken_json_is_named(root, text):
    path = root / "annotations/instances_train2017.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        InputError, match=r"instances_train2017\.json (is not valid JSON|must hold a JSON object)"
    ):
        datasets.create("coco", root=root)


def test_wrong_places_and_options(root):
    with pytest.raises(InputError, match="needs `root`"):
        datasets.create("coco")
    with pytest.raises(
        InputError, match=r"instances_test2017\.json does not exist; .* holds instances_train2017"
    ):
        datasets.create("coco", root=root, split="test")
    with pytest.raises(InputError, match="holds no JSON file"):
        datasets.create("coco", root=root / "train2017")
    with pytest.raises(InputError, match=r"`masks`.*panoptic"):
        datasets.create("coco", root=root, masks="panoptic")
    with pytest.raises(InputError, match=r"`year`.*2015"):
        datasets.create("coco", root=root, year=2015)
    with pytest.raises(InputError, match="`other_objects`"):
        datasets.create("coco", root=root, other_objects="drop")
    with pytest.raises(InputError, match="nowhere does not exist; it should hold the images"):
        datasets.create("coco", root=root, images="nowhere")


@pytest.fixture
def stuff(root):
    content = instances()
    names = {92: "banner", 105: "clouds", 182: "wood", 183: "other"}
    content["categories"] = [
        {"id": number, "name": name, "supercategory": "x"} for number, name in names.items()
    ]
    content["annotations"] = [
        annotation(1, 139, 105, (0, 0, 10, 2), {"size": list(SIZE_HW), "counts": "whatever: it is not read"}),
        annotation(2, 139, 183, (0, 0, 10, 2)),
        annotation(3, 285, 182, (0, 0, 10, 2)),
        annotation(4, 632, 183, (0, 0, 10, 6)),
    ]
    write(root, content, "stuff_train2017")
    folder = root / "annotations/stuff_train2017_pixelmaps"
    folder.mkdir()
    values = np.full(SIZE_HW, 183, np.uint8)
    values[0], values[1, 0], values[2, 0] = 105, 182, 0
    write_mask(folder / "000000000139.png", values)
    return root


def test_stuff(stuff):
    dataset = datasets.create("coco", root=stuff, masks="stuff")
    assert dataset.classes == ("banner", "clouds", "wood")
    assert [(record.id, record.labels) for record in dataset] == [
        ("000000000139", ("clouds",)),
        ("000000000285", ("wood",)),
    ]
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[0], expected[1, 0], expected[2, 0] = 2, 3, 255
    assert dataset.read_mask(dataset[0]).tolist() == expected.tolist()
    assert dataset[0].instances is None and dataset[1].mask is None
    some = datasets.create("coco", root=stuff, masks="stuff", classes=("wood", "clouds"))
    assert some.read_mask(some[0])[:3, 0].tolist() == [2, 1, 255]
    with pytest.raises(InputError, match="unknown class `other`"):
        datasets.create("coco", root=stuff, masks="stuff", classes=("other",))


def test_stuff_that_is_not_unpacked(stuff):
    mask = stuff / "annotations/stuff_train2017_pixelmaps/000000000139.png"
    write_mask(mask, np.full(SIZE_HW, 44, np.uint8))
    dataset = datasets.create("coco", root=stuff, masks="stuff")
    with pytest.raises(
        InputError, match=r"139\.png holds the value 44; expected .*class ids 92\.\.183 or 255"
    ):
        dataset.read_mask(dataset[0])
    mask.parent.rename(stuff / "stuff_train2017_pixelmaps")
    assert datasets.create("coco", root=stuff, masks="stuff")[0].mask is not None
    (stuff / "stuff_train2017_pixelmaps").rename(stuff / "elsewhere")
    with pytest.raises(InputError, match=r"unpack stuff_train2017_pixelmaps\.zip"):
        datasets.create("coco", root=stuff, masks="stuff")
