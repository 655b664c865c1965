"""`wsseg evaluate` on folders of masks as people have them; the expected scores are counted by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from wsseg.cli import main


def save(path, rows, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.array(rows))
    (image if mode is None else image.convert(mode)).save(path)


def gray(*rows):
    return np.array(rows, np.uint8)


@pytest.fixture
def score(tmp_path, capsys):
    """Call `wsseg evaluate` on `found/` and `true/`: the scores, or None, and what was said on standard error."""

    def call(*words):
        folders = ["--predictions", str(tmp_path / "found"), "--truth", str(tmp_path / "true")]
        status = main(["evaluate", *folders, *words])
        out, err = capsys.readouterr()
        assert status in (0, 2)
        return (json.loads(out) if status == 0 else None), err

    return call


OBJECT = gray([255, 255, 0, 0], [255, 255, 0, 0])


def test_0_and_255_are_background_and_the_one_class(tmp_path, score):
    """The object has 4 pixels of 8. Found: none of them, then 2 of them and 1 beside."""
    save(tmp_path / "true/a.png", OBJECT)
    save(tmp_path / "found/a.png", OBJECT * 0)
    scores, said = score("--classes", "thing")
    assert scores["iou"] == {"background": 4 / 8, "thing": 0} and scores["miou"] == 0.25
    assert "0 and 255 alone, so 255 is read as `thing`" in said
    assert scores["read_as"]["truth"] == "255 is thing, 0 is background"
    save(tmp_path / "found/a.png", gray([1, 1, 1, 0], [0, 0, 0, 0]))  # ids, as `wsseg predict` writes them
    scores, said = score("--classes", "thing")
    assert scores["iou"] == {"background": 3 / 6, "thing": 2 / 5} and "predictions" not in said
    save(tmp_path / "found/a.png", gray([255, 255, 255, 0], [0, 0, 0, 0]))
    scores, said = score("--classes", "thing")
    assert scores["iou"] == {"background": 3 / 6, "thing": 2 / 5} and "the predictions hold 0 and 255" in said


def test_255_beside_ids_of_the_folder_is_not_scored(tmp_path, score):
    """In the second file 255 is alone with 0, but the first shows what it means: unsure pixels."""
    save(tmp_path / "true/a.png", gray([1, 1, 255, 0]))
    save(tmp_path / "true/b.png", gray([0, 0, 255, 0]))
    save(tmp_path / "found/a.png", gray([1, 0, 1, 0]))
    save(tmp_path / "found/b.png", gray([0, 0, 1, 0]))
    scores, said = score("--classes", "thing")
    assert scores["iou"] == {"background": 4 / 5, "thing": 1 / 2} and said == ""


def test_a_folder_in_which_255_alone_is_unsure_has_nothing_to_score(tmp_path, score):
    save(tmp_path / "true/a.png", OBJECT)
    save(tmp_path / "found/a.png", OBJECT * 0)
    scores, said = score("--classes", "cat", "dog")
    assert scores is None and "scored pixel of cat, dog" in said and "0 and 255" in said
    assert "--mask-values 255=cat" in said
    assert score("--classes", "cat", "--mask-values", "255=ignore")[0] is None


def test_declared_values(tmp_path, score):
    """Masks without a background: 0 is a road, 1 a car; 7 is not scored."""
    save(tmp_path / "true/a.png", gray([0, 0, 1, 7]))
    save(tmp_path / "found/a.png", gray([1, 2, 2, 2]))
    words = ["--classes", "road", "car", "--mask-values", "0=road", "1=car", "7=ignore"]
    scores, said = score(*words)
    assert scores["iou"] == {"background": None, "road": 1 / 2, "car": 1 / 2}
    assert scores["classes_without_truth"] == ["background"] and "background" in said
    save(tmp_path / "found/a.png", gray([0, 1, 1, 1]))
    assert score(*words, "--prediction-values", "0=1", "1=2")[0]["iou"] == scores["iou"]
    for wrong, message in (
        (["0=raod"], "did you mean `road`"),
        (["0"], "must be VALUE=CLASS"),
        (["0=1", "0=2"], "each value once"),
        (["70000=1"], "0..65535"),
        (["3=9"], "an id in 0..2"),
    ):
        found, said = score("--classes", "road", "car", "--mask-values", *wrong)
        assert found is None and message in said


def test_soft_edges_need_a_stated_level(tmp_path, score):
    """Above 127 lie 3 of 6 pixels; above 0, 4 of them."""
    save(tmp_path / "true/a.png", gray([255, 200, 130, 90, 0, 0]))
    save(tmp_path / "found/a.png", gray([1, 1, 1, 0, 0, 0]))
    scores, said = score("--classes", "thing")
    assert scores is None and "values 0, 90, 130, 200 and 255" in said and "--mask-level 127" in said
    scores, _ = score("--classes", "thing", "--mask-level", "127")
    assert scores["iou"] == {"background": 1, "thing": 1} and "level 127" in scores["read_as"]["truth"]
    assert score("--classes", "thing", "--mask-level", "0")[0]["iou"] == {"background": 2 / 3, "thing": 3 / 4}
    save(tmp_path / "found/a.png", gray([255, 128, 127, 0, 0, 0]))  # gray levels too
    assert score("--classes", "thing", "--mask-level", "127")[0]["iou"]["thing"] == 2 / 3
    for words in (["--mask-level", "300"], ["--mask-level", "9", "--mask-values", "255=thing"]):
        assert score("--classes", "thing", *words)[0] is None
    assert "one class" in score("--classes", "a", "b", "--mask-level", "9")[1]


def test_names_keep_their_ids(tmp_path, score):
    save(tmp_path / "true/a.png", gray([0, 1, 1, 2]))
    save(tmp_path / "found/a.png", gray([0, 0, 0, 2]))
    wanted = {"background": 1 / 3, "cat": 0, "dog": 1}
    for names in (["cat", "dog"], ["background", "cat", "dog"], ["BG", "cat", "dog"]):
        assert score("--classes", *names)[0]["iou"] == wanted
    for names, message in (
        (["cat", "background", "dog"], "names `background`"),
        (["cat", "dog", "dog"], "names `dog` twice"),
        (["background"], "names no class"),
        ([""], "names of classes"),
        ([f"c{number}" for number in range(255)], "255 classes; masks of 8 bits hold 254"),
    ):
        found, said = score("--classes", *names)
        assert found is None and message in said
    names = [f"c{number}" for number in range(1, 255)]
    save(tmp_path / "true/a.png", gray([0, 1, 254, 255]))
    save(tmp_path / "found/a.png", gray([0, 0, 254, 0]))
    scores, _ = score("--classes", *names)
    assert scores["iou"]["c254"] == 1 and scores["iou"]["c1"] == 0
    assert scores["classes_without_truth"] == names[1:253]


def test_a_class_without_a_true_pixel_is_named(tmp_path, score):
    save(tmp_path / "true/a.png", gray([0, 1, 1, 255]))
    save(tmp_path / "found/a.png", gray([0, 1, 1, 0]))
    scores, said = score("--classes", "cat", "dog")
    assert scores["miou"] == 1 and scores["classes_without_truth"] == ["dog"]
    assert "no true mask has a scored pixel of dog:" in said


def test_files_of_other_kinds(tmp_path, score):
    """Values that are the same are read the same: of a TIFF, of 16 bits, of equal channels. Others are refused."""
    save(tmp_path / "found/a.png", gray([0, 1, 1, 0]))
    mask = gray([0, 1, 1, 2])
    wanted = {"background": 1 / 2, "cat": 1, "dog": 0}
    for name, mode in (("a.tif", None), ("a.png", "RGB"), ("a.png", "RGBA")):
        save(tmp_path / "true" / name, mask, mode)
        assert score("--classes", "cat", "dog")[0]["iou"] == wanted
        (tmp_path / "true" / name).unlink()
    save(tmp_path / "true/a.png", mask.astype(np.uint16))
    assert score("--classes", "cat", "dog")[0]["iou"] == wanted
    save(tmp_path / "true/a.jpg", mask)
    assert "both the mask of `a`" in score("--classes", "cat", "dog")[1]
    (tmp_path / "true/a.png").unlink()
    assert "changes values" in score("--classes", "cat", "dog")[1]
    (tmp_path / "true/a.jpg").unlink()
    save(tmp_path / "true/a.png", np.array([[[1, 2, 3], [0, 0, 0]]], np.uint8))
    assert "holds RGB colours" in score("--classes", "cat", "dog")[1]


def test_predictions_without_a_truth_are_counted(tmp_path, score):
    for name in ("found/a.png", "found/b.png", "true/a.png", "true/inner/c.png"):
        save(tmp_path / name, gray([0, 1]))
    scores, said = score("--classes", "cat")
    assert (
        scores["images"] == 1
        and "1 of 2 predictions have no truth" in said
        and "such as those of inner" in said
    )


def test_options_of_masks_need_folders(tmp_path, capsys):
    assert main(["evaluate", "--mask-level", "9"]) == 2
    assert "needs --predictions" in capsys.readouterr().err
