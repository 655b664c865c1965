import contextlib
import copy
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wsseg.cli import main
from wsseg.metrics.instance_average_precision import ROWS
from wsseg.objects.instance_files import instances_of, write_instances
from wsseg.objects.run_length import encode_masks

SIZE_HW = (130, 150)
NAMES = {3: "cat", 7: "dog", 90: "cow"}


def polygon(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left + 2.5, bottom, left, bottom - 3.25]]


@pytest.fixture(scope="module")
def annotated():
    """A COCO annotation file: four images, sparse ids, polygons and a crowd; the last image has no object."""
    random = np.random.default_rng(0)
    images = [
        {"id": 40 + 7 * n, "file_name": f"street {n}.jpg", "height": SIZE_HW[0], "width": SIZE_HW[1]}
        for n in range(4)
    ]
    annotations = []
    for image in images[:3]:
        for number in range(5):
            sides = random.integers(*((12, 30) if number % 2 else (35, 90)), 2)
            left, top = (float(random.uniform(0, 150 - 91)), float(random.uniform(0, 130 - 91)))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": (3, 7)[number % 2],
                    "bbox": [left, top, *map(float, sides)],
                    "segmentation": polygon(left, top, left + sides[0], top + sides[1]),
                    "area": float(np.prod(sides)) / 2,  # as stated: some are small that are not by their mask
                    "iscrowd": 0,
                }
            )
    crowd = np.zeros(SIZE_HW, np.uint8, order="F")
    crowd[100:, 20:120] = 1
    runs = encode_masks(crowd[None].astype(bool))[0]
    annotations.append(
        annotations[0]
        | {"id": 99, "bbox": [20.0, 100.0, 100.0, 30.0], "segmentation": runs, "area": 3000.0, "iscrowd": 1}
    )
    categories = [{"id": number, "name": name} for number, name in NAMES.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.fixture(scope="module")
def results(annotated):
    """Detections of three of the images: objects moved a little, in the crowd, and false alarms."""
    random = np.random.default_rng(1)
    found = []
    for true in annotated["annotations"] * 2:
        left, top, width, height = np.array(true["bbox"]) + random.uniform(-3, 3, 4)
        left, top = max(left, 0), max(top, 0)
        category = true["category_id"] if random.random() < 0.8 else 7
        mask = np.zeros(SIZE_HW, bool)
        mask[round(top) : round(top + height), round(left) : round(left + width)] = True
        found.append(
            {
                "image_id": true["image_id"],
                "category_id": category,
                "bbox": np.float32([left, top, width, height]).tolist(),
                "segmentation": encode_masks(mask[None])[0],
                "score": float(np.float32(random.random())),
            }
        )
    return found


def evaluate(tmp_path, capsys, annotated, predictions, *more, status=0):
    """Run the command; `predictions` is a list, text, or a folder."""
    truth = tmp_path / "truth.json"
    truth.write_text(annotated if isinstance(annotated, str) else json.dumps(annotated))
    if isinstance(predictions, list | str):
        content = predictions if isinstance(predictions, str) else json.dumps(predictions)
        predictions = tmp_path / "results.json"
        predictions.write_text(content)
    words = ["evaluate", "--predictions", str(predictions), "--truth", str(truth), *more]
    assert main(words) == status
    printed = capsys.readouterr()
    return json.loads(printed.out) if status == 0 else printed.err


def by_pycocotools(annotated, results, kind):
    """What COCO's own steps print for the two files."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(annotated)
        truth.createIndex()
        left_out = "bbox" if kind == "segm" else "segmentation"
        found = truth.loadRes([{k: v for k, v in entry.items() if k != left_out} for entry in results])
        scorer = COCOeval(truth, found, kind)
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return dict(zip(ROWS, [None if value < 0 else value for value in scorer.stats]))


def test_the_rows_are_those_of_coco(tmp_path, capsys, annotated, results):
    scores = evaluate(tmp_path, capsys, annotated, results)
    for kind, name in (("boxes", "bbox"), ("masks", "segm")):
        expected = by_pycocotools(annotated, results, name)
        assert 0.1 < expected["ap"] < 0.9 and expected["ap_small"] != expected["ap_medium"]
        assert {row: scores[kind][row] for row in ROWS} == pytest.approx(expected, abs=6e-5)
        assert list(scores[kind]["by_class"]) == ["cat", "dog", "cow"]
        assert scores[kind]["by_class"]["cow"] == {"ap": None, "ap50": None, "objects": 0}
    counts = ("images", "images_not_in_predictions", "objects", "crowds", "detections")
    assert [scores[name] for name in counts] == [4, 1, 15, 1, 32]


def test_images_may_be_named_by_their_files(tmp_path, capsys, annotated, results):
    stems = {image["id"]: f"street {n}" for n, image in enumerate(annotated["images"])}
    named = [entry | {"image_id": stems[entry["image_id"]]} for entry in results]
    assert evaluate(tmp_path, capsys, annotated, named) == evaluate(tmp_path, capsys, annotated, results)


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_of_files_scores_as_one_file(tmp_path, capsys, annotated, results, named):
    folder = tmp_path / "detections"
    folder.mkdir()
    names = ["cow", "dog", "cat"]  # a detector's own order
    ids = {number: names.index(name) + 1 for number, name in NAMES.items()} if named else None
    for number, image in enumerate(annotated["images"][:3]):
        rows = [("", entry) for entry in results if entry["image_id"] == image["id"]]
        found = instances_of(rows, SIZE_HW, masks=True, scored=True, class_ids=ids)
        write_instances(folder / f"{number}.json", found, f"street {number}", names if named else None)
    assert evaluate(tmp_path, capsys, annotated, folder) == evaluate(tmp_path, capsys, annotated, results)


def test_boxes_alone_and_masks_alone(tmp_path, capsys, annotated, results):
    both = evaluate(tmp_path, capsys, annotated, results)
    boxes = [{k: v for k, v in entry.items() if k != "segmentation"} for entry in results]
    scores = evaluate(tmp_path, capsys, annotated, boxes)
    assert "masks" not in scores and scores["boxes"] == both["boxes"]
    masks = [{k: v for k, v in entry.items() if k != "bbox"} for entry in results]
    scores = evaluate(tmp_path, capsys, annotated, masks)
    assert scores["masks"] == both["masks"] and scores["boxes"]["ap"] is not None
    bare = [{k: v for k, v in entry.items() if k != "segmentation"} for entry in annotated["annotations"]]
    scores = evaluate(tmp_path, capsys, annotated | {"annotations": bare}, results)
    assert "masks" not in scores and scores["boxes"] == both["boxes"]


def test_no_detection_and_no_object(tmp_path, capsys, annotated, results):
    scores = evaluate(tmp_path, capsys, annotated, [])
    assert scores["boxes"]["ap"] == scores["masks"]["ar100"] == 0 and scores["images_not_in_predictions"] == 4
    scores = evaluate(tmp_path, capsys, annotated | {"annotations": []}, results)
    assert scores["boxes"]["ap"] is None and scores["objects"] == 0 and scores["detections"] == 32


def test_a_class_takes_one_line(tmp_path, capsys, annotated, results):
    evaluate(tmp_path, capsys, annotated, results)
    words = [
        "evaluate",
        "--predictions",
        str(tmp_path / "results.json"),
        "--truth",
        str(tmp_path / "truth.json"),
    ]
    main(words)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert sum(line.startswith('"cat": {"ap": 0.') for line in lines) == 2 and len(lines) < 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 41}, "truth.json has no image 41; it has 4 images, such as 40"),
        ({"category_id": 4}, "there is no category 4; expected one of 3, 7, 90"),
        ({"bbox": [5, 5, 0, 9]}, "`bbox` [x, y, width, height] has no area: [5, 5, 0, 9]"),
        ({"bbox": [5, 5, -3, 9]}, "has a negative side"),
        ({"bbox": [5, 5, 9]}, "`bbox` must be"),
        ({"score": float("nan")}, "`score` must be a finite number; got nan"),
        ({"segmentation": {"size": [5, 4], "counts": "d0"}}, "has (H, W) (5, 4), its image (130, 150)"),
        ({"segmentation": {"size": list(SIZE_HW), "counts": "d0"}}, "cover 20 pixels; its size is 130 x 150"),
        ({"segmentation": None}, "`segmentation` must be run lengths"),
    ],
)
def test_wrong_entries_are_named(tmp_path, capsys, annotated, results, change, message):
    entries = [*results[:2], results[2] | change]
    message_found = evaluate(tmp_path, capsys, annotated, entries, status=2)
    assert "results.json, entry 2: " in message_found and message in message_found


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("annotations", {"image_id": 1}, "no image has the id 1"),
        ("annotations", {"category_id": 1}, "there is no category 1"),
        ("annotations", {"bbox": None, "segmentation": [[1, 2]]}, "at least three corners"),
        ("images", {"height": "130"}, "height and width in pixels"),
        ("images", {"id": 40}, "two images have the id 40"),
        ("categories", {"id": None}, "expected a unique id; got None"),
    ],
)
def test_wrong_truths_are_named(tmp_path, capsys, annotated, results, part, change, message):
    wrong = copy.deepcopy(annotated)
    wrong[part][1] |= change
    message_found = evaluate(tmp_path, capsys, wrong, results, status=2)
    assert f"truth.json, {part}[1]: " in message_found and message in message_found


def test_files_that_are_something_else(tmp_path, capsys, annotated, results):
    def failed(truth, predictions, *more):
        return evaluate(tmp_path, capsys, truth, predictions, *more, status=2)

    assert "results.json is not valid JSON" in failed(annotated, "[{")
    assert "truth.json is not valid JSON" in failed("{", results)
    assert "results.json is not valid JSON" in failed(annotated, "[" * 100_000)
    assert "results.json is not a COCO results file" in failed(annotated, json.dumps(annotated))
    assert "truth.json is not a COCO annotation file" in failed(json.dumps(results), results)
    assert "entry 0: expected {image_id, category_id, score, ...}; got 3" in failed(annotated, "[3]")
    assert "0 images and 3 categories" in failed(annotated | {"images": [], "annotations": []}, results)
    assert "remove --classes" in failed(annotated, results, "--classes", "cat")
    assert "absent cannot be read (No such file" in failed(annotated, tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "empty holds no JSON file" in failed(annotated, tmp_path / "empty")


def test_folders_that_do_not_fit(tmp_path, capsys, annotated, results):
    folder = tmp_path / "detections"
    folder.mkdir()
    found = instances_of([("", results[0])], SIZE_HW, masks=True, scored=True)

    def failed(name, image_id, instances=found, names=None):
        write_instances(folder / name, instances, image_id, names)
        return evaluate(tmp_path, capsys, annotated, folder, status=2)

    assert "are both of image 40; remove one of the two" in (
        write_instances(folder / "a.json", found, "40") or failed("b.json", "street 0")
    )
    assert "has the class `cow boy`, which is not a category" in failed(
        "b.json", "street 1", names=["cow boy"]
    )
    assert "detection 0: `category_id` 3 is not among the file's classes 1..1" in failed(
        "b.json", "47", names=["cow"]
    )
    assert "has no image 'street 9'" in failed("b.json", "street 9")
    boxes = instances_of([("", results[0])], SIZE_HW, masks=False, scored=True)
    assert "some files of" in failed("b.json", "47", boxes)
    small = instances_of([], (5, 5), masks=True, scored=True)
    assert "b.json has (H, W) (5, 5), its image (130, 150)" in failed("b.json", "47", small)
