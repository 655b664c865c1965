import json
import pickle

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

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
    monkeypatch.setattr("wsseg.objects.coco_drawing.decode_mask", None)  # calling it fails
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


def with_annotations(root, *more):
    """Open the split with these annotations beside the others, which leave (3, 3) of image 285 background."""
    changed(root, lambda content: content["annotations"].extend(more))
    return datasets.create("coco", root=root)


PERSON_BOX = (2, 1, 4, 3)
"""A box in image 285, apart from its stop sign."""

WITHOUT_OUTLINE = {
    "one segment": ([[1, 1, 2, 2]], "at least three corners"),
    "an odd number": ([[1, 1, 2, 2, 3, 3, 4]], "at least three corners"),
    "a word": ([["a", 1, 2, 2, 3, 3]], "at least three corners"),
    "a broken polygon beside a good one": ([[2, 1, 4, 1, 4, 3], [1, 1, 2, 2, 3]], "at least three corners"),
    "width and height exchanged": ({"size": [10, 6], "counts": [60]}, r"the image's size [6, 10]"),
    "runs too short": ({"size": [6, 10], "counts": [50, 9]}, "do not add up to 6 x 10"),
    "runs of nothing": ({"size": [6, 10], "counts": [60]}, "cover no pixel"),
    "runs that are no text": ({"size": [6, 10], "counts": "zzz\x7f"}, "cannot be read"),
    "runs that are words": ({"size": [6, 10], "counts": ["a"]}, "cannot be read"),
    "no outline": ([], "no segmentation, but others in the file have one"),
    "null": (None, "no segmentation, but others in the file have one"),
    "empty polygons": ([[]], "at least three corners"),
    "not a number": ([[float("nan"), 1, 2, 2, 3, 3]], "not a finite number"),
    "far away": ([[1, 1, 1e9, 2, 3, 3]], "far outside the image"),
    "a line": ([[2, 1, 5, 1, 3, 1]], "a line, without an area"),
    "a number": (7, "do not have the image's size"),
}


@pytest.mark.parametrize("name", WITHOUT_OUTLINE)
def test_an_object_without_a_usable_outline_keeps_its_label_and_its_box_is_ignored(root, name):
    outline, reason = WITHOUT_OUTLINE[name]
    dataset = with_annotations(root, annotation(31, 285, 1, PERSON_BOX) | {"segmentation": outline})
    assert dataset[1].labels == ("person", "stop sign") and dataset.left_out == {}
    assert list(dataset.ignored) == ["annotation 31 of image 285"]
    assert reason in dataset.ignored["annotation 31 of image 285"]
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[3:, 8:] = 2
    expected[1:4, 2:6] = 255
    assert dataset.read_mask(dataset[1]).tolist() == expected.tolist()
    found = dataset.read_instances(dataset[1])
    assert found.crowd.tolist() == [False, True] and (found.masks[1] == (expected == 255)).all()
    assert dataset.read_boxes(dataset[1]).boxes_xyxy.tolist() == [[8, 3, 10, 6], [2, 1, 6, 4]]
    assert dataset.read_boxes(dataset[1]).crowd.tolist() == [False, False]  # its box is good


@pytest.mark.parametrize(
    ("bbox", "outline", "place"),
    [
        (None, [], (0, 0, 10, 6)),  # rows and columns of the whole image
        ([], None, (0, 0, 10, 6)),
        (["x", 3, 2, 2], [], (0, 0, 10, 6)),
        ([3, 3, 2], [[]], (0, 0, 10, 6)),
        ([3, 3, 1e999, 2], [], (0, 0, 10, 6)),
        ([3, 3, 0, 1], [], (2, 2, 4, 5)),  # a line of one pixel, and a pixel on each side
        ([3, 2, 2, 0], [], (1, 0, 7, 4)),
        ([3, 2, 0, 0], [[4, 2, 3, 1]], (2, 0, 5, 3)),
        (None, [[4, 2, 4]], (0, 0, 10, 6)),
        (None, [[4.2, 2.2]], (3, 1, 6, 4)),
    ],
)
def test_without_outline_and_box_its_place_is_ignored(root, bbox, outline, place):
    dataset = with_annotations(
        root, annotation(31, 285, 1, PERSON_BOX) | {"segmentation": outline, "bbox": bbox}
    )
    assert (
        dataset[1].labels == ("person", "stop sign") and len(dataset.ignored) == 1 and dataset.left_out == {}
    )
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[place[1] : place[3], place[0] : place[2]] = 255
    expected[3:, 8:] = 2
    assert dataset.read_mask(dataset[1]).tolist() == expected.tolist()
    assert dataset.read_boxes(dataset[1]).crowd.tolist() == [False, True]


@pytest.mark.parametrize("bbox", [None, [], [3, 3, 0, 2], [30, 3, 2, 2], "3 3 2 2"])
def test_a_missing_box_is_that_of_the_outline(root, bbox):
    for outline in ([box(*PERSON_BOX)], {"size": list(SIZE_HW), "counts": runs_of(drawn_box(PERSON_BOX))}):
        dataset = with_annotations(
            root, annotation(31, 285, 1, PERSON_BOX) | {"segmentation": outline, "bbox": bbox}
        )
        found = dataset.read_instances(dataset[1])
        assert found.boxes_xyxy.tolist() == [[8, 3, 10, 6], [2, 1, 6, 4]] and found.masks[1].sum() == 12
        assert dataset.left_out == dataset.ignored == {} and len(dataset.remarks) == bool(bbox)


def drawn_box(bbox):
    mask = np.zeros(SIZE_HW, np.uint8)
    mask[bbox[1] : bbox[1] + bbox[3], bbox[0] : bbox[0] + bbox[2]] = 1
    return mask


@pytest.mark.parametrize(
    "outline",
    [
        box(*PERSON_BOX),
        [[2, 1], [6, 1], [6, 4], [2, 4]],
        [[[2, 1], [6, 1], [6, 4], [2, 4]]],
        [[str(value) for value in box(*PERSON_BOX)]],
        [box(*PERSON_BOX), [1, 1]],
        [box(*PERSON_BOX), [1, 1, 2, 2], []],
        {"size": ["6", 10.0], "counts": [float(run) for run in runs_of(drawn_box(PERSON_BOX))]},
        {
            "size": [6, 10],
            "counts": coco_mask.encode(np.asfortranarray(drawn_box(PERSON_BOX)))["counts"].decode(),
        },
    ],
)
def test_outlines_that_are_written_otherwise(root, outline):
    """Twelve pixels, as pycocotools draws the rectangle in its usual form."""
    usual = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([box(*PERSON_BOX)], *SIZE_HW)))
    dataset = with_annotations(root, annotation(31, 285, 1, PERSON_BOX) | {"segmentation": outline})
    assert ((dataset.read_mask(dataset[1]) == 1) == usual).all() and usual.sum() == 12
    assert dataset.ignored == dataset.left_out == {}


def test_ids_and_boxes_that_are_written_otherwise(root):
    def rewrite(content):
        content["images"][1].update(id="285", height="6", width=10.0)
        content["annotations"][3].update(
            image_id=285.0, category_id="13", bbox=["8", "3.0", 6, 9], iscrowd="0", id=None
        )
        content["annotations"][0].pop("id")

    plain = datasets.create("coco", root=root)
    expected = [plain.read_instances(record) for record in plain]
    changed(root, rewrite)
    dataset = datasets.create("coco", root=root)
    assert [record.labels for record in dataset] == [record.labels for record in plain]
    for record, true in zip(dataset, expected, strict=True):
        found = dataset.read_instances(record)
        assert (found.masks == true.masks).all() and found.boxes_xyxy.tolist() == true.boxes_xyxy.tolist()
        assert found.crowd.tolist() == true.crowd.tolist()
    assert dataset.ignored == dataset.left_out == dataset.remarks == {}


def test_what_lies_outside_its_image_or_has_none_is_left_out(root):
    dataset = with_annotations(
        root,
        annotation(33, 285, 1, (30, 3, 2, 2)),
        annotation(34, 285, 1, (30, 3, 2, 2)) | {"bbox": None},
        annotation(35, 285, 1, (30, 3, 2, 2)) | {"segmentation": []},
        annotation(41, 77, 1, (3, 3, 2, 2)),
    )
    assert dataset[1].labels == ("stop sign",) and dataset.ignored == {}
    assert [reason.partition(" lies")[0] for reason in dataset.left_out.values()] == [
        "its outline", "its outline", "its box [30, 3, 2, 2]", "its image is not listed in the file",
    ]  # fmt: skip


def test_ids_that_appear_twice(root):
    copy, other = annotation(13, 285, 13, (8, 3, 6, 9)), annotation(13, 285, 1, PERSON_BOX)
    dataset = with_annotations(root, copy, other)
    assert len(dataset.read_instances(dataset[1])) == 2 and dataset[1].labels == ("person", "stop sign")
    assert list(dataset.left_out.values()) == ["it is an exact copy of another annotation with its id"]
    assert len(dataset.remarks) == 2  # the two that are kept
    content = instances()
    content["images"].append(content["images"][0])
    write(root, content)
    assert len(datasets.create("coco", root=root, allow_unlabelled=True)) == 3


BRUSH = {"size": list(SIZE_HW), "counts": runs_of(drawn_box(PERSON_BOX))}


@pytest.mark.parametrize(
    ("entry", "is_object"),
    [
        ({"category_id": 13}, True),  # all of its category are marked
        ({"category_id": 1}, False),  # others of its category are not
        ({"category_id": 1, "attributes": {"occluded": False}}, True),  # as CVAT writes it
        ({"category_id": 13, "id": 900100000285}, False),  # COCO's own
    ],
)
def test_masks_painted_with_a_brush_are_told_from_crowds(root, entry, is_object):
    content = instances()
    content["annotations"][3] = annotation(50, 285, 13, PERSON_BOX, BRUSH, iscrowd=1) | entry
    write(root, content)
    dataset = datasets.create("coco", root=root)
    assert dataset.read_instances(dataset[1]).crowd.tolist() == [not is_object]
    assert dataset.read_mask(dataset[1])[2, 3] == (1 + (entry["category_id"] == 13) if is_object else 255)
    assert len(dataset.remarks) == is_object and dataset[1].labels
    assert dataset.read_instances(dataset[0]).crowd.tolist() == [False, False, True]  # COCO's own crowd stays
    content["annotations"].append(
        annotation(51, 285, 90, PERSON_BOX, BRUSH)
    )  # run lengths that are not marked
    write(root, content)
    dataset = datasets.create("coco", root=root)
    assert dataset.read_instances(dataset[1]).crowd.tolist() == [True, False] and dataset.remarks == {}


def test_a_file_of_labels_alone(root):
    def bare(content):
        for entry in content["annotations"]:
            for key in ("bbox", "segmentation", "area"):
                del entry[key]

    changed(root, bare)
    dataset = datasets.create("coco", root=root)
    assert [record.labels for record in dataset] == [("person", "toothbrush"), ("stop sign",)]
    assert [(record.mask, record.instances) for record in dataset] == [(None, None)] * 2
    assert not dataset.knows_boxes and dataset.ignored == dataset.left_out == {}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(root, encoding):
    path = root / "annotations/instances_train2017.json"
    path.write_bytes(path.read_text().encode(encoding))
    assert len(datasets.create("coco", root=root)) == 2
    path.write_bytes(json.dumps(instances()).encode().replace(b"person", b"p\xe9ch\xe9"))
    with pytest.raises(InputError, match=r"train2017\.json is not valid JSON .*save it in UTF-8"):
        datasets.create("coco", root=root)


def test_a_heading_of_categories_is_no_class(root):
    """Roboflow's files begin with a category of the project's name, which no object has."""

    def head(content):
        for category in content["categories"]:
            category["supercategory"] = "traffic"
        content["categories"].append({"id": 0, "name": "traffic", "supercategory": "none"})

    changed(root, head)
    assert datasets.create("coco", root=root).classes == ("person", "stop sign", "toothbrush")
    used = with_head = instances()
    head(with_head)
    used["annotations"][0]["category_id"] = 0
    write(root, used)
    assert datasets.create("coco", root=root).classes == ("traffic", "person", "stop sign", "toothbrush")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("sub/a.jpg", "train2017/sub/a.jpg"),
        ("train2017/sub/a.jpg", "train2017/sub/a.jpg"),
        (r"sub\a.jpg", "train2017/sub/a.jpg"),
        (r"C:\Users\me\a.jpg", "train2017/a.jpg"),
        ("/home/me/photos/a.jpg", "train2017/a.jpg"),
        ("../elsewhere/a.jpg", "elsewhere/a.jpg"),
    ],
)
def test_file_names_with_folders(root, name, place):
    changed(root, lambda content: content["images"][1].update(file_name=name))
    (root / place).parent.mkdir(exist_ok=True)
    (root / "train2017/000000000285.jpg").rename(root / place)
    dataset = datasets.create("coco", root=root)
    assert ids(dataset) == ["000000000139", "a"] and dataset[1].image.resolve() == (root / place).resolve()
    assert (dataset.read_mask(dataset[1])[3:, 8:] == 2).all()


def test_images_without_an_id_or_a_name(root):
    def drop(content):
        content["images"].append({"file_name": "b.jpg", "height": 6, "width": 10})
        content["images"].append({"id": 9, "height": 6, "width": 10})

    changed(root, drop)
    dataset = datasets.create("coco", root=root)
    assert len(dataset) == 2 and list(dataset.set_aside) == ["b.jpg", "image 9"]
    assert "no usable `id`" in dataset.set_aside["b.jpg"] and "no `file_name`" in dataset.set_aside["image 9"]


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
        InputError, match=r"no image of .*instances_train2017\.json can be used: of 4, 3 set aside"
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
        (lambda content: content["images"][0].update(height="tall"), r"images\[0\]: .* `height` and `width`"),
        (lambda content: content["images"][0].update(id=285), "images.1.: two images have the id 285"),
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
        InputError, match=r"instances_train2017\.json (is not valid JSON|is not a COCO annotation file)"
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
