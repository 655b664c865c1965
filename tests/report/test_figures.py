import io
import math
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from wsseg.errors import InputError
from wsseg.report.figures import ThresholdCurve, _miou_at, history_figure, threshold_figure
from wsseg.training.history import read_history

POINTS = [(0.1, 0.2), (0.2, 0.5), (0.4, 0.3)]


def picture(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), int)


def has_colour(png, rgb):
    pixels = picture(png)
    return bool(((np.abs(pixels[..., :3] - rgb).max(-1) < 8) & (pixels[..., 3] > 200)).any())


def test_history_is_read_column_by_column(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val\n1,0.5,\n2,0.25,0.75\n")
    columns = read_history(path)
    assert columns["epoch"] == [1.0, 2.0]
    assert columns["loss"] == [0.5, 0.25]
    assert math.isnan(columns["val"][0]) and columns["val"][1] == 0.75


def test_wrong_histories_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        read_history(tmp_path / "none.csv")
    (tmp_path / "h.csv").write_text("epoch,loss\n1,abc\n")
    with pytest.raises(InputError, match=r"line 2: `loss` is 'abc'"):
        read_history(tmp_path / "h.csv")


def test_history_has_a_panel_for_each_kind_of_column():
    losses = history_figure({"epoch": [1, 2], "loss": [1.0, 0.5]})
    three = history_figure(
        {"epoch": [1, 2], "loss": [1.0, 0.5], "accuracy": [0.1, 0.2], "learning_rate": [0.1, 0.05]}
    )
    assert picture(three).shape[1] == pytest.approx(3 * picture(losses).shape[1], abs=3)


@pytest.mark.parametrize(
    "history", [{}, {"epoch": [1], "loss": [2.0]}, {"loss": np.ones(40)}, {"loss": [math.nan]}]
)
def test_any_history_can_be_drawn(history):
    assert history_figure(history).startswith(b"\x89PNG")


def test_chosen_level_and_oracle_are_both_marked():
    curve = ThresholdCurve("maps", POINTS, level=0.3, rule="fixed")
    assert curve.oracle == (0.2, 0.5)
    png = threshold_figure(curve)
    assert has_colour(png, (213, 94, 0)), "the level in use"
    assert has_colour(png, (36, 41, 47)), "the oracle, in the text colour"
    assert not has_colour(threshold_figure(ThresholdCurve("maps", [], 0.3, "fixed")), (213, 94, 0))


def test_level_between_measured_points_is_read_off_the_line():
    def at(level, miou=None):
        return _miou_at(ThresholdCurve("maps", POINTS, level, "otsu", miou), POINTS)

    assert at(0.3) == pytest.approx(0.4)
    assert at(0.15) == pytest.approx(0.35)
    assert at(0.05) == 0.2
    assert at(0.9) == 0.3
    assert at(0.3, miou=0.42) == 0.42


def test_oracle_passes_over_nan():
    assert ThresholdCurve("maps", [(0.1, math.nan), (0.2, 0.1)], 0.1, "fixed").oracle == (0.2, 0.1)
    assert threshold_figure(ThresholdCurve("maps", [(0.1, math.nan)], 0.1, "fixed")).startswith(b"\x89PNG")


def test_dark_figures_are_transparent_with_light_text():
    light, dark = (history_figure({"loss": [1, 2]}, dark) for dark in (False, True))
    assert picture(light)[0, 0, 3] == picture(dark)[0, 0, 3] == 0
    light_text, dark_text = (214, 220, 228), (36, 41, 47)
    assert has_colour(dark, light_text) and not has_colour(dark, dark_text)
    assert has_colour(light, dark_text)


def test_the_global_state_of_matplotlib_is_left_alone():
    before = dict(matplotlib.rcParams)
    threshold_figure(ThresholdCurve("maps", POINTS, 0.3, "fixed"))
    assert dict(matplotlib.rcParams) == before
    program = "import sys, wsseg.report.page; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
