"""Panoptic quality of files in COCO's format, against an independent count in loops over sets of pixels."""

import json

import numpy as np
import pytest
from PIL import Image

from wsseg.cli import main

CATEGORIES = [
    {"id": 7, "name": "cat", "isthing": 1},
    {"id": 3, "name": "sky", "isthing": 0},
    {"id": 200, "name": "dog", "isthing": 1},
]


def segments(random, number):
    """Rectangles of segments whose numbers need all three bytes; crowds and void among them."""
    numbers = np.zeros((20, 24), np.int64)
    for one in range(1, 7):
        top, left = random.integers(0, 14, 2)
        numbers[top : top + 9, left : left + 11] = one * 70_001 + number
    infos = [
        {"id": one, "category_id": CATEGORIES[one % 3]["id"], "iscrowd": int(one % 5 == 0)}
        for one in np.unique(numbers).tolist()
        if one
    ]
    return numbers, infos


def write(path, pictures):
    """Write a panoptic file of `image id -> (numbers, infos)`."""
    path.with_suffix("").mkdir()
    annotations = []
    for image_id, (numbers, infos) in pictures.items():
        pixels = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(pixels).save(path.with_suffix("") / f"{image_id}.png")
        annotations.append({"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": infos})
    path.write_text(json.dumps({"annotations": annotations, "categories": CATEGORIES}))
    return path


@pytest.fixture
def files(tmp_path):
    """Predictions are the truth moved by a few pixels; one image is not predicted."""
    random = np.random.default_rng(1)
    true = {image_id: segments(random, image_id) for image_id in range(1, 7)}
    found = {}
    for image_id, (numbers, infos) in list(true.items())[:5]:
        moved = np.roll(numbers, (int(random.integers(0, 3)), int(random.integers(0, 4))), (0, 1))
        infos = [{key: info[key] for key in ("id", "category_id")} for info in infos]
        infos[0]["category_id"] = 7  # at times a wrong class
        found[image_id] = moved, infos
    return write(tmp_path / "truth.json", true), write(tmp_path / "found.json", found), true, found


def by_loops(true, found):
    """Count `category -> [sum of IoU, TP, FP, FN]` by sets of pixels, as the paper's section 4 has it."""
    counts = {category["id"]: [0.0, 0, 0, 0] for category in CATEGORIES}
    for image_id, (numbers, infos) in true.items():
        other, other_infos = found.get(image_id, (np.zeros_like(numbers), []))
        pixels = {info["id"]: set(np.flatnonzero(numbers == info["id"]).tolist()) for info in infos}
        void = set(np.flatnonzero(numbers == 0).tolist())
        matched = set()
        for info in other_infos:
            mine = set(np.flatnonzero(other == info["id"]).tolist())
            hit = None
            for one in infos:
                if one["category_id"] == info["category_id"] and not one["iscrowd"]:
                    iou = len(mine & pixels[one["id"]]) / len(
                        (mine | pixels[one["id"]]) - (void - pixels[one["id"]])
                    )
                    hit = (one["id"], iou) if iou > 0.5 else hit
            row = counts[info["category_id"]]
            if hit:
                matched.add(hit[0])
                row[0] += hit[1]
                row[1] += 1
                continue
            unknown = void.union(
                *(pixels[o["id"]] for o in infos if o["iscrowd"] and o["category_id"] == info["category_id"])
            )
            row[2] += len(mine & unknown) / len(mine) <= 0.5
        for one in infos:
            counts[one["category_id"]][3] += not one["iscrowd"] and one["id"] not in matched
    return counts


def evaluate(capsys, truth, found, *more):
    status = main(["evaluate", "--panoptic", "--predictions", str(found), "--truth", str(truth), *more])
    printed = capsys.readouterr()
    return json.loads(printed.out) if status == 0 else printed.err


def test_the_scores_are_those_of_loops(files, capsys):
    truth, found, true, predicted = files
    scores = evaluate(capsys, truth, found)
    counts = by_loops(true, predicted)
    assert all(row[column] > 0 for row in counts.values() for column in (1, 3)) and sum(
        r[2] for r in counts.values()
    )
    qualities = {}
    for category in CATEGORIES:
        iou, tp, fp, fn = counts[category["id"]]
        row = scores["by_class"][category["name"]]
        assert (row["tp"], row["fp"], row["fn"]) == (tp, fp, fn)
        qualities[category["name"]] = iou / (tp + fp / 2 + fn / 2)
        assert row["pq"] == pytest.approx(qualities[category["name"]], abs=6e-5)
    assert scores["all"]["pq"] == pytest.approx(sum(qualities.values()) / 3, abs=6e-5)
    assert scores["things"]["pq"] == pytest.approx((qualities["cat"] + qualities["dog"]) / 2, abs=6e-5)
    assert scores["stuff"]["pq"] == pytest.approx(qualities["sky"], abs=6e-5)
    assert (scores["images"], scores["images_not_in_predictions"]) == (6, 1)


def test_the_truth_itself_is_perfect(files, capsys):
    assert evaluate(capsys, files[0], files[0])["all"] == {"pq": 1.0, "sq": 1.0, "rq": 1.0, "classes": 3}


def test_files_that_contradict_themselves(files, capsys, tmp_path):
    truth, found, _, _ = files
    content = json.loads(found.read_text())

    def failed(change):
        changed = json.loads(json.dumps(content))
        change(changed["annotations"][0])
        found.write_text(json.dumps(changed))
        return evaluate(capsys, truth, found)

    assert "is in" in failed(lambda entry: entry["segments_info"].pop())
    assert "has no pixel in" in failed(
        lambda entry: entry["segments_info"].append({"id": 5, "category_id": 7})
    )
    assert "has the category 9" in failed(lambda entry: entry["segments_info"][0].update(category_id=9))
    assert "of one segment alone" in failed(
        lambda entry: entry["segments_info"].append(entry["segments_info"][0])
    )
    assert "has no image 99" in failed(lambda entry: entry.update(image_id=99))
    assert "cannot be read" in failed(lambda entry: entry.update(file_name="none.png"))
    Image.new("L", (24, 20)).save(tmp_path / "found/gray.png")
    assert "must be an 8-bit RGB PNG" in failed(lambda entry: entry.update(file_name="gray.png"))
    found.write_text("[]")
    assert "is not a panoptic file" in evaluate(capsys, truth, found)
    assert "truth.json and" not in evaluate(capsys, truth, tmp_path / "absent.json")
    (tmp_path / "found").rename(tmp_path / "elsewhere")
    found.write_text(json.dumps(content))
    assert "found does not exist; it should hold the PNGs of found.json" in evaluate(capsys, truth, found)
    assert "remove --classes" in evaluate(capsys, truth, found, "--classes", "cat")
