import json

import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.objects.instance_files import read_instance_file, read_instances, write_instances
from wsseg.objects.instances import Instances


def drawn(count, masks, scored, size_hw=(7, 9)):
    random = np.random.default_rng(count)
    boxes = np.sort(random.uniform(0, 9, (count, 2, 2)), axis=1).reshape(count, 4)
    return Instances(
        random.integers(1, 4, count),
        boxes,
        size_hw,
        random.random((count, *size_hw)) < 0.4 if masks else None,
        random.random(count) if scored else None,
        random.random(count) < 0.5,
    )


@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("scored", [False, True])
def test_there_and_back(tmp_path, count, masks, scored):
    path, written = tmp_path / "a.json", drawn(count, masks, scored)
    write_instances(path, written, "a", ["x", "y", "z"])
    found = read_instances(path, (7, 9))
    for name in ("class_ids", "boxes_xyxy", "size_hw", "masks", "scores", "crowd"):
        expected, value = getattr(written, name), getattr(found, name)
        assert (value is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_array_equal(value, expected)
    stored = read_instance_file(path)
    assert stored.image_id == "a" and stored.class_names == ("x", "y", "z") and len(stored.entries) == count
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_entries_are_in_the_format_of_coco(tmp_path):
    masks = np.zeros((1, 2, 3), bool)
    masks[0, :, 1] = masks[0, 0, 2] = True
    write_instances(tmp_path / "a.json", Instances.of_masks(masks, [2], np.array([0.5])), "a")
    assert json.loads((tmp_path / "a.json").read_text())["detections"] == [
        {
            "image_id": "a",
            "category_id": 2,
            "bbox": [1, 0, 2, 2],
            "score": 0.5,
            "segmentation": {"size": [2, 3], "counts": "231"},
        }
    ]
    assert read_instance_file(tmp_path / "a.json").class_names is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [7]}, r"`size` must be \[H, W\]"),
        ({"detections": {}}, "is not a file of one image's objects"),
        ({"image_id": 7}, "is not a file of one image's objects"),
        ({"class_names": "cat"}, "`class_names` must be a list of names"),
        ({"detections": [3]}, "detection 0: expected an entry"),
        ({"size": [9, 7]}, r"detection 0: `segmentation` has \(H, W\) \(7, 9\), its image \(9, 7\)"),
    ],
)
def test_broken_files_are_named(tmp_path, change, message):
    path = tmp_path / "a.json"
    write_instances(path, drawn(2, True, True), "a")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | change))
    with pytest.raises(InputError, match=rf"a\.json.*{message}"):
        read_instances(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": float("nan")}, "`score` must be a finite number; got nan"),
        ({"score": None}, "`score` must be a finite number; got None"),
        ({"bbox": [0, 0, 1]}, "`bbox` must be"),
        ({"bbox": [0, 0, float("inf"), 1]}, "`bbox` must be"),
        ({"bbox": [0, 0, -1, 1]}, ".*has a negative side"),
        ({"category_id": "cat"}, "`category_id` must be a whole number; got 'cat'"),
        ({"segmentation": None}, "`segmentation` must be run lengths"),
    ],
)
def test_broken_entries_are_named(tmp_path, change, message):
    path = tmp_path / "a.json"
    write_instances(path, drawn(2, True, True), "a")
    content = json.loads(path.read_text())
    content["detections"][1] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"a\.json, detection 1: {message}"):
        read_instances(path)


def test_files_that_are_no_json_or_of_another_image(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match=r"a\.json does not exist"):
        read_instances(path)
    path.write_text('{"image_id": ')
    with pytest.raises(InputError, match=r"a\.json is not valid JSON"):
        read_instances(path)
    write_instances(path, drawn(1, True, True), "a")
    with pytest.raises(InputError, match=r"belongs to an image of \(H, W\) \(7, 9\); expected \(9, 7\)"):
        read_instances(path, (9, 7))
