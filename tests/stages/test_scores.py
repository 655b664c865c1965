import pytest

from wsseg.stages.evaluate.scores import SCORES, share_of_ceiling, shown_scores


def scored(segmenter, ceiling, supervision="pseudo_masks"):
    rows = {"segmenter": {"miou": segmenter, "supervision": supervision}, "ceiling": {"miou": ceiling}}
    return dict.fromkeys(SCORES) | rows


def test_share_of_the_ceiling():
    assert share_of_ceiling(scored(0.6, 0.8)) == pytest.approx(0.75)
    assert share_of_ceiling(scored(0.6, None)) is None and share_of_ceiling(scored(None, 0.6)) is None
    assert share_of_ceiling(scored(0.6, 0.6, supervision="masks")) is None
    assert share_of_ceiling({}) is None


def test_a_fully_supervised_run_shows_its_one_segmenter_once():
    assert {key: title for key, (title, _) in shown_scores(scored(0.6, 0.8)).items()} == {
        "segmenter": "segmenter",
        "ceiling": "ceiling (true masks)",
    }
    assert [title for title, _ in shown_scores(scored(0.6, 0.6, "masks")).values()] == [
        "segmenter (true masks)"
    ]
