import contextlib
import copy
import io
import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask
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


def evaluate(tmp_path, capsys, annotated, predictions, *more, status=0, notes=False):
    """Run the command; `predictions` is a list, text, or a folder. Return the scores, with the notes if asked for."""
    truth = tmp_path / "truth.json"
    truth.write_text(annotated if isinstance(annotated, str) else json.dumps(annotated))
    if isinstance(predictions, list | str):
        content = predictions if isinstance(predictions, str) else json.dumps(predictions)
        predictions = tmp_path / "results.json"
        predictions.write_text(content)
    words = ["evaluate", "--predictions", str(predictions), "--truth", str(truth), *more]
    assert main(words) == status
    printed = capsys.readouterr()
    if status:
        return printed.err
    return (json.loads(printed.out), printed.err) if notes else json.loads(printed.out)


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
        ({"image_id": None}, "truth.json has no image None"),
        ({"category_id": 4}, "there is no category 4; expected one of 3, 7, 90"),
        ({"category_id": "cat"}, "there is no category None"),
        ({"bbox": [5, 5, 0, 9]}, "`bbox` [x, y, width, height] has no area: [5, 5, 0, 9]"),
        ({"bbox": [5, 5, -3, 9]}, "has a negative side"),
        ({"bbox": [5, 5, 9]}, "`bbox` must be"),
        ({"bbox": [5, 5, "wide", 9]}, "`bbox` must be"),
        ({"score": float("nan")}, "`score` must be a finite number; got nan"),
        ({"score": None}, "`score` must be a finite number; got None"),
        ({"segmentation": {"size": [5, 4], "counts": "d0"}}, "has (H, W) (5, 4), its image (130, 150)"),
        ({"segmentation": {"size": list(SIZE_HW), "counts": "d0"}}, "do not add up to its size of 130 x 150"),
        ({"segmentation": {"size": list(SIZE_HW), "counts": None}}, "`counts` of `segmentation` must be"),
        ({"segmentation": None}, "`segmentation` must be run lengths"),
        (3, "expected {image_id, category_id, score, ...}; got 3"),
        ({}, "expected {image_id, category_id, score, ...}; got {'image_id'"),
    ],
)
def test_a_wrong_detection_is_set_aside_and_counted(tmp_path, capsys, annotated, results, change, message):
    wrong = {"image_id": 40} if change == {} else change if change == 3 else results[2] | change
    found = evaluate(tmp_path, capsys, annotated, [*results[:2], wrong, *results[3:]], notes=True)
    assert (
        found[0].pop("detections_set_aside") == 1
        and "results.json, entry 2: " in found[1]
        and message in found[1]
    )
    assert found[0] == evaluate(tmp_path, capsys, annotated, [*results[:2], *results[3:]])
    if change == {"segmentation": None}:
        return  # alone, it is a detection of a box
    found = evaluate(tmp_path, capsys, annotated, [wrong], status=2)
    assert "results.json can be used; the first, " in found and message in found


def test_numbers_that_are_written_otherwise(tmp_path, capsys, annotated, results):
    plain = evaluate(tmp_path, capsys, annotated, results)
    written = [
        entry
        | {
            "image_id": float(entry["image_id"]),
            "category_id": str(entry["category_id"]),
            "bbox": [str(value) for value in entry["bbox"]],
            "score": str(entry["score"]),
        }
        for entry in results
    ]
    assert evaluate(tmp_path, capsys, annotated, written) == plain
    truth = copy.deepcopy(annotated)
    for image in truth["images"]:
        image |= {"id": str(image["id"]), "height": "130"}
    for entry in truth["annotations"]:
        entry |= {"category_id": float(entry["category_id"]), "bbox": [str(value) for value in entry["bbox"]]}
        del entry["id"]
    assert evaluate(tmp_path, capsys, truth, results) == plain


@pytest.mark.parametrize(
    ("part", "ids", "renumbered"), [("category_id", (3, 7), (0, 1)), ("image_id", (40, 47, 54), (1, 2, 3))]
)
def test_ids_that_number_the_truth_anew_are_refused(
    tmp_path, capsys, annotated, results, part, ids, renumbered
):
    """Ids 0 or 1 onwards, of which one is in the truth by chance: scored, that one would be the wrong one."""
    truth = copy.deepcopy(annotated)
    key = {"category_id": "categories", "image_id": "images"}[part]
    truth[key][1]["id"] = 1
    for entry in truth["annotations"]:
        entry[part] = {ids[1]: 1}.get(entry[part], entry[part])
    wrong = [entry | {part: renumbered[ids.index(entry[part])]} for entry in results]
    message = evaluate(tmp_path, capsys, truth, wrong, status=2)
    assert f"results.json: `{part}`" in message and "of the truth anew" in message


def test_images_of_one_name_are_told_apart_by_their_ids(tmp_path, capsys, annotated, results):
    truth = copy.deepcopy(annotated)
    for image, folder in zip(truth["images"][:2], ("left", "right"), strict=True):
        image["file_name"] = f"{folder}/0.jpg"
    plain = evaluate(tmp_path, capsys, annotated, results)
    assert evaluate(tmp_path, capsys, truth, results) == plain
    by_path = [
        entry | {"image_id": {40: "left/0.jpg", 47: "right/0.jpg"}.get(entry["image_id"], 54)}
        for entry in results
    ]
    assert evaluate(tmp_path, capsys, truth, by_path) == plain
    by_stem = [results[0] | {"image_id": "0"}, *results]
    found, notes = evaluate(tmp_path, capsys, truth, by_stem, notes=True)
    assert found.pop("detections_set_aside") == 1 and found == plain and "2 images of" in notes


def test_sizes_of_results_of_masks_alone_are_those_of_coco(tmp_path, capsys, annotated, results):
    """Triangles whose boxes are of medium size and whose masks are small; pycocotools takes the latter, in all rows."""
    random = np.random.default_rng(5)
    alone = []
    for entry in results:
        left, top, width, height = entry["bbox"]
        corners = [left, top, left + width, top, left, top + height]
        runs = coco_mask.merge(coco_mask.frPyObjects([corners], *SIZE_HW))
        alone.append({key: entry[key] for key in ("image_id", "category_id")})
        alone[-1] |= {
            "segmentation": runs | {"counts": runs["counts"].decode()},
            "score": float(random.random()),
        }
    found = evaluate(tmp_path, capsys, annotated, alone)
    areas = [coco_mask.area(entry["segmentation"]) for entry in alone]
    boxes = [np.prod(coco_mask.toBbox(entry["segmentation"])[2:]) for entry in alone]
    assert sum(area < 32**2 <= box for area, box in zip(areas, boxes, strict=True)) > 1
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(annotated)
        truth.createIndex()
        for kind, name in (("boxes", "bbox"), ("masks", "segm")):
            scorer = COCOeval(truth, truth.loadRes(copy.deepcopy(alone)), name)
            scorer.evaluate()
            scorer.accumulate()
            scorer.summarize()
            wanted = [None if value < 0 else value for value in scorer.stats]
            assert [found[kind][row] for row in ROWS] == pytest.approx(wanted, abs=6e-5)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("annotations", {"category_id": 1}, "annotations[1]: annotation 2 of image 40 has the category 1"),
        (
            "annotations",
            {"image_id": None},
            "annotations[1]: annotation 2 of image None needs one `image_id`",
        ),
        ("images", {"height": "tall"}, "images[1]: an image needs `height` and `width` in pixels"),
        ("images", {"id": 40}, "images[1]: two images have the id 40"),
        ("categories", {"id": None}, "a category needs a unique whole number as `id`"),
        ("categories", {"name": "cat"}, "`categories` names `cat` twice"),
    ],
)
def test_wrong_truths_are_named(tmp_path, capsys, annotated, results, part, change, message):
    wrong = copy.deepcopy(annotated)
    wrong[part][1] |= change
    message_found = evaluate(tmp_path, capsys, wrong, results, status=2)
    assert "truth.json" in message_found and message in message_found


def test_annotations_that_are_not_scored_are_counted(tmp_path, capsys, annotated, results):
    """An object without an outline is one for boxes, and a crowd for masks: pycocotools says what that means."""
    truth = copy.deepcopy(annotated)
    truth["annotations"].append(truth["annotations"][0] | {"id": 200, "image_id": 1})
    truth["annotations"][3]["segmentation"] = []
    found, notes = evaluate(tmp_path, capsys, truth, results, notes=True)
    assert (found["annotations_left_out"], found["annotations_without_outline_or_box"]) == (1, 1)
    assert (
        "annotation 200 of image 1: its image is not listed" in notes
        and "annotation 4 of image 40: it has no" in notes
    )
    boxes = by_pycocotools(annotated, results, "bbox")
    assert {row: found["boxes"][row] for row in ROWS} == pytest.approx(boxes, abs=6e-5)
    as_crowd = copy.deepcopy(annotated)
    left, top, width, height = as_crowd["annotations"][3]["bbox"]
    region = np.zeros(SIZE_HW, bool)
    region[int(top) : int(np.ceil(top + height)), int(left) : int(np.ceil(left + width))] = True
    as_crowd["annotations"][3] |= {"iscrowd": 1, "segmentation": encode_masks(region[None])[0]}
    masks = by_pycocotools(as_crowd, results, "segm")
    assert {row: found["masks"][row] for row in ROWS} == pytest.approx(masks, abs=6e-5)


def test_files_that_are_something_else(tmp_path, capsys, annotated, results):
    def failed(truth, predictions, *more):
        return evaluate(tmp_path, capsys, truth, predictions, *more, status=2)

    assert "results.json is not valid JSON" in failed(annotated, "[{")
    assert "truth.json is not valid JSON" in failed("{", results)
    assert "results.json is not valid JSON" in failed(annotated, "[" * 100_000)
    assert "results.json is not a COCO results file" in failed(annotated, json.dumps(annotated))
    assert "truth.json is not a COCO annotation file" in failed(json.dumps(results), results)
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
