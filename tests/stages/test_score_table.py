import json

from wsseg.stages.evaluate.score_table import format_score, print_table

ROW = {
    "split": "val",
    "images": 8,
    "miou": 0.5,
    "pixel_accuracy": 0.9,
    "mean_class_accuracy": 0.75,
    "frequency_weighted_iou": None,
}
MAPS = ROW | {"split": "train", "threshold": 0.25, "rule": "fixed", "oracle": {"threshold": 0.3, "miou": 0.6}}


def printed(tmp_path, capsys, **scores):
    (tmp_path / "6_evaluate").mkdir(exist_ok=True)
    every = {"class_maps": None, "pseudo_masks": None, "segmenter": None, "ceiling": None} | scores
    (tmp_path / "6_evaluate/scores.json").write_text(json.dumps(every))
    print_table(tmp_path)
    return capsys.readouterr().out


def test_rows_and_the_share_of_the_ceiling(tmp_path, capsys):
    weak, full = ROW | {"supervision": "pseudo_masks"}, ROW | {"supervision": "masks", "miou": 0.625}
    text = printed(tmp_path, capsys, class_maps=MAPS, pseudo_masks=MAPS, segmenter=weak, ceiling=full)
    lines = text.splitlines()
    (maps,) = [line for line in lines if "class maps" in line]
    assert [cell.strip() for cell in maps.split("│")[1:-1]] == [
        *("class maps", "train", "8", "0.500", "0.600 at 0.3", "0.900", "0.750", "-", "0.25 (fixed)")
    ]
    assert sum("ceiling (true masks)" in line for line in lines) == 1
    assert lines[-1] == "The segmenter reaches 0.80 of its ceiling."


def test_full_supervision_is_not_its_own_ceiling(tmp_path, capsys):
    full = ROW | {"supervision": "masks"}
    text = printed(tmp_path, capsys, segmenter=full, ceiling=full)
    assert text.count("(true masks)") == 1 and "segmenter (true masks)" in text and "reaches" not in text


def test_scores_that_do_not_exist(tmp_path, capsys):
    assert "No image has a mask" in printed(tmp_path, capsys)
    weak, full = ROW | {"supervision": "pseudo_masks"}, ROW | {"supervision": "masks"}
    for one, other in ((None, None), (0.5, 0.0), (0.5, None), (None, 0.5)):
        text = printed(tmp_path, capsys, segmenter=weak | {"miou": one}, ceiling=full | {"miou": other})
        assert "reaches" not in text
    assert (format_score(None), format_score(0.12345)) == ("-", "0.123")
