import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wsseg
from wsseg.artifacts import write_mask
from wsseg.cli import main, recipe_options
from wsseg.stages import STAGES

ROOT = Path(__file__).parents[1]


def real_command(*words, cwd=None):
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=os.environ | {"PYTHONPATH": paths}
    )


def failed(capsys, *words):
    """Run the command, which must refuse; return its message."""
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("wsseg: ")
    return captured.err


def test_help_names_every_command():
    done = real_command("-m", "wsseg", "--help")
    assert done.returncode == 0
    for command in ("run", "status", "explain", "options", *STAGES):
        assert f"\n    {command}" in done.stdout


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0 and capsys.readouterr().out == f"wsseg {wsseg.__version__}\n"


def test_the_built_in_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("scenes  ") and "The demo: image-level labels" in line for line in lines)


@pytest.mark.parametrize("words", [["options"], ["recipes"]])
def test_nobody_reads_the_output(words):
    """As `wsseg options | head -1`, whose reader is gone before everything is written."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "wsseg", *words],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
    finally:
        os.close(write)
    assert done.stderr == "" and done.returncode == 141


def test_another_broken_pipe_is_an_error(monkeypatch):
    def broken(*_):
        raise BrokenPipeError("of a worker")

    monkeypatch.setattr("wsseg.recipe.built_in.listing", broken)
    with Path(os.devnull).open("w") as output, pytest.raises(BrokenPipeError, match="of a worker"):
        monkeypatch.setattr(sys, "stdout", output)
        main(["recipes"])


def test_help_needs_neither_tensorflow_nor_the_recipe_reader():
    program = (
        "import sys, wsseg.cli; sys.exit(bool({'tensorflow', 'keras', 'jsonargparse'} & set(sys.modules)))"
    )
    assert real_command("-c", program).returncode == 0


def test_the_options_are_listed_with_type_and_default(capsys):
    assert main(["options"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert (
        "--segment.epochs: a whole number or auto, at least 1; default: 12 Number of passes over the training"
        in text
    )
    assert "--label.threshold.rule: one of fixed, otsu, calibration; default: fixed Rule for" in text
    assert "--dataset.name: text" in text and "--config" not in text


def test_options_can_be_searched_by_name_and_help(capsys):
    assert main(["options", "Learning_Rate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split(":")[0].strip() for line in lines if line.startswith("  --")]
    assert names == [f"--{stage}.learning_rate" for stage in ("classify", "propagate", "segment", "detect")]
    assert main(["options", "upper bound"]) == 0
    assert [one for one in capsys.readouterr().out.splitlines() if one.startswith("  --")] == [
        "  --ceiling: true or false; default: false"
    ]
    assert "no option has `learnin_rate` in its name or help" in failed(capsys, "options", "learnin_rate")


@pytest.mark.parametrize(
    ("words", "own", "options"),
    [
        (["run", "a.yaml", "--segment.epochs", "3"], ["run", "a.yaml"], ["--segment.epochs=3"]),
        (["run", "--segment.epochs", "3"], ["run"], ["--segment.epochs=3"]),
        (["run", "--seed", "-1", "a.yaml"], ["run", "a.yaml"], ["--seed=-1"]),
        (["run", "--dataset.root", "my photos"], ["run"], ["--dataset.root=my photos"]),
        (["run", "--a=1", "b.yaml", "--c", "--d"], ["run", "b.yaml"], ["--a=1", "--c", "--d"]),
        (["label", "--run", "my run", "a.yaml"], ["label", "--run", "my run", "a.yaml"], []),
        (["label", "--run=r", "--seed=1"], ["label", "--run=r"], ["--seed=1"]),
        (["evaluate", "--classes", "a", "b"], ["evaluate", "--classes", "a", "b"], []),
        ([], [], []),
    ],
)
def test_options_of_the_recipe_are_parted_from_the_commands_own(words, own, options):
    assert recipe_options(words) == (own, options)


def test_values_with_spaces_reach_the_recipe(capsys, tmp_path):
    words = ["--dataset.name", "folder", "--dataset.root", tmp_path / "my photos"]
    message = failed(capsys, "run", *words, "--run", tmp_path / "my run")
    assert f"{tmp_path / 'my photos'} is not a folder" in message
    words = [
        "--dataset.name",
        "folder",
        "--dataset.root",
        tmp_path,
        "--dataset.options.labels_csv",
        "my labels.csv",
    ]
    (tmp_path / "a.png").write_bytes(b"")
    assert "my labels.csv does not exist" in failed(capsys, "run", *words, "--run", tmp_path / "my run")


def test_words_that_mean_nothing(capsys):
    for words in (["run", "a.yaml", "b.yaml"], ["status", "r", "-x"], ["options", "--all"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert f"unknown argument {words[-1]}; see wsseg {words[0]} --help" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_misspelt_option_is_answered_with_the_nearest(capsys, tmp_path, place):
    recipe = tmp_path / "a.yaml"
    recipe.write_text("name: a\n")
    option = ["--segment.epoch", "3"]
    words = [*option, recipe] if place == "before" else [recipe, *option]
    message = failed(capsys, "run", *words, "--run", tmp_path / "run")
    assert "unknown option `--segment.epoch`; did you mean `epochs`?" in message
    assert not (tmp_path / "run").exists()


def test_a_misspelt_option_in_the_recipe(capsys, tmp_path):
    (tmp_path / "a.yaml").write_text("localize: {scale: [1.0]}\n")
    message = failed(capsys, "run", tmp_path / "a.yaml", "--run", tmp_path / "run")
    assert "a.yaml: unknown option `localize.scale`; did you mean `scales`?" in message


def test_a_recipe_that_is_not_there(capsys, tmp_path):
    assert "absent.yaml does not exist" in failed(capsys, "run", tmp_path / "absent.yaml")


def test_unknown_words_of_other_commands(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "a.jpg", "--model", "m.keras", "--methods", "cam"])
    assert stopped.value.code == 2
    assert "unknown argument --methods; see wsseg explain --help" in capsys.readouterr().err


def test_the_real_command_fails_without_a_traceback(tmp_path):
    done = real_command("-m", "wsseg", "status", "nowhere", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("wsseg: nowhere is not a run folder: it has no recipe.json; start one with")
    assert "Traceback" not in done.stderr


def test_status_of_a_folder_whose_recipe_is_gone(capsys, tmp_path):
    owner = {"name": "a", "file": str(tmp_path / "gone.yaml"), "overrides": [], "options": {}}
    (tmp_path / "recipe.json").write_text(json.dumps(owner))
    assert main(["status", str(tmp_path)]) == 0
    output = capsys.readouterr()
    assert "gone.yaml is gone; the options that" in output.err and "classify   next" in output.out
    (tmp_path / "recipe.json").write_text(
        json.dumps({key: owner[key] for key in ("name", "file", "overrides")})
    )
    assert "gone.yaml does not exist" in failed(capsys, "status", tmp_path)


def test_ctrl_c_says_how_to_resume(capsys, monkeypatch, tmp_path):
    from wsseg.engine import run as engine

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run", interrupted)
    assert main(["run", "--name", "my run", "--run", str(tmp_path / "r")]) == 130
    assert (
        capsys.readouterr()
        .err.rstrip()
        .endswith(f"resume with: wsseg run --name 'my run' --run {tmp_path / 'r'}")
    )


@pytest.fixture
def masks(tmp_path):
    """Two images of 2 x 3 pixels: predictions and truths."""
    pairs = {
        "a": ([[0, 1, 1], [2, 0, 255]], [[0, 1, 0], [2, 2, 1]]),
        "b": ([[1, 1, 0], [0, 2, 2]], [[1, 255, 0], [0, 0, 2]]),
    }
    for name, (prediction, truth) in pairs.items():
        for kind, values in (("predictions", prediction), ("truth", truth)):
            (tmp_path / kind).mkdir(exist_ok=True)
            write_mask(tmp_path / kind / f"{name}.png", np.array(values, np.uint8))
    return tmp_path


def scoring(folder, *classes):
    return [
        "evaluate",
        "--predictions",
        folder / "predictions",
        "--truth",
        folder / "truth",
        "--classes",
        *classes,
    ]


def test_scores_of_anybodys_masks(masks, capsys):
    """Counted by hand: where the truth is 255 nothing is scored, where the prediction is 255 it is a miss.

    Truth 0 (5): predicted 0 three times, 1 once, 2 once. Truth 1 (3): 1 twice, 255 once. Truth 2 (3): 2
    twice, 0 once.
    """
    assert main([str(word) for word in scoring(masks, "cat", "dog")]) == 0
    scores = json.loads(capsys.readouterr().out)
    iou = {"background": 3 / 6, "cat": 2 / 4, "dog": 2 / 4}
    assert scores["iou"] == pytest.approx(iou)
    assert scores["images"] == 2 and scores["miou"] == pytest.approx(0.5)
    assert scores["pixel_accuracy"] == pytest.approx(7 / 11)
    assert scores["class_accuracy"] == pytest.approx({"background": 3 / 5, "cat": 2 / 3, "dog": 2 / 3})
    assert scores["mean_class_accuracy"] == pytest.approx((3 / 5 + 2 / 3 + 2 / 3) / 3)
    assert scores["frequency_weighted_iou"] == pytest.approx(0.5)


def test_hidden_files_are_no_masks(masks, capsys):
    (masks / "truth/.a.png").write_bytes(b"of some file manager")
    assert main([str(word) for word in scoring(masks, "cat", "dog")]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2


def test_masks_that_cannot_be_scored(masks, capsys):
    message = failed(capsys, *scoring(masks, "cat"))
    assert ".png" in message and "check that --classes is complete" in message
    write_mask(masks / "predictions/b.png", np.zeros((3, 2), np.uint8))
    message = failed(capsys, *scoring(masks, "cat", "dog"))
    assert "predictions/b.png is (3, 2), its truth (2, 3)" in message and "nearest neighbour" in message
    (masks / "predictions/b.png").unlink()
    message = failed(capsys, *scoring(masks, "cat", "dog"))
    assert "1 of 2 masks" in message and "such as b.png" in message
    (masks / "predictions/b.png").write_bytes(b"no png")
    assert "predictions/b.png cannot be read" in failed(capsys, *scoring(masks, "cat", "dog"))


def test_scoring_asks_for_what_it_needs(masks, capsys):
    message = "scoring a folder needs --predictions, --truth and --classes"
    for left_out in (slice(1, 3), slice(3, 5), slice(5, 8)):
        words = scoring(masks, "cat", "dog")
        del words[left_out]
        assert message in failed(capsys, *words)
    assert "takes no recipe" in failed(capsys, *scoring(masks, "cat", "dog"), "--segment.epochs", "3")
    (masks / "empty").mkdir()
    words = [
        "evaluate",
        "--predictions",
        masks / "predictions",
        "--truth",
        masks / "empty",
        "--classes",
        "cat",
    ]
    assert "empty has no PNG" in failed(capsys, *words)
    words[4] = masks / "absent"
    assert "absent is not a folder" in failed(capsys, *words)


@pytest.mark.parametrize(
    "script", ["run", *(stage.folder for name, stage in STAGES.items() if "ceiling" not in name)]
)
def test_there_is_a_script_for_every_stage(script):
    path = ROOT / "pipelines" / f"{script}.py"
    text = path.read_text()
    compile(text, path, "exec")
    assert f'main(["{script.split("_", 1)[-1]}", *sys.argv[1:]])' in text


def test_a_script_does_what_the_command_does(tmp_path):
    done = real_command(ROOT / "pipelines/4_label.py", "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: wsseg label")
    done = real_command(ROOT / "pipelines/run.py", "absent.yaml", cwd=tmp_path)
    assert done.returncode == 2 and "recipe absent.yaml does not exist" in done.stderr
