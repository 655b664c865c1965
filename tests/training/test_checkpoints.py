"""A damaged checkpoint: the training goes on from the one before, or from the start, and the result is the same."""

import json

import keras
import numpy as np
import pytest

from wsseg.training.best_epoch import Choice
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.resumable_fit import resumable_fit

EPOCHS = 4


class Batches:
    """One batch an epoch, which depends on the epoch's number."""

    steps = 1

    def epoch(self, number):
        random = np.random.default_rng(number)
        return _Once(random.normal(size=(8, 3)), random.normal(size=(8, 2)))


class _Once(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.pair = x, y

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.pair


def model():
    keras.utils.set_random_seed(0)
    result = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    result.compile(keras.optimizers.Adam(0.1), "mse")
    return result


def measure(epoch):
    return {"val_map": [0.5, 0.7, 0.6, 0.6][epoch]}


def train(folder, stop_after=None):
    """Train; with `stop_after`, stop in the epoch after that many."""

    def advance(text):
        if stop_after is not None and len(Checkpoints(folder).state().get("history", [])) == stop_after:
            raise KeyboardInterrupt

    trained = model()
    history = resumable_fit(
        trained, Batches(), EPOCHS, 0, folder, advance, measure=measure, choice=Choice("val_map")
    )
    return trained, history


def damage(path, how):
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(content[:-100])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(content[:2000] + bytes([content[2000] ^ 1]) + content[2001:])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, stop_after=3)
    return tmp_path


def check_equal(folder, whole):
    trained, history = train(folder)
    assert history == whole[1]
    for found, expected in zip(trained.get_weights(), whole[0].get_weights()):
        np.testing.assert_array_equal(found, expected)


def test_whole_checkpoints_need_no_word(stopped, whole):
    assert Checkpoints(stopped).mend() == ""
    assert len(Checkpoints(stopped).state()["history"]) == 3
    check_equal(stopped, whole)


@pytest.mark.parametrize("how", ["missing", "truncated", "empty", "one bit"])
def test_the_epoch_before(how, stopped, whole):
    state = json.loads((stopped / "training.json").read_text())
    damage(stopped / state["checkpoint"], how)
    assert "is damaged or missing; the training goes on after epoch 2" in Checkpoints(stopped).mend()
    assert len(Checkpoints(stopped).state()["history"]) == 2
    check_equal(stopped, whole)


@pytest.mark.parametrize("which", ["both", "best"])
def test_the_start(which, stopped, whole):
    state = json.loads((stopped / "training.json").read_text())
    for name in (state["checkpoint"], state["before"]["checkpoint"]) if which == "both" else [state["best"]]:
        damage(stopped / name, "truncated")
    assert "and the one before too; the training starts again" in Checkpoints(stopped).mend()
    assert not list(stopped.iterdir())
    check_equal(stopped, whole)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"history": 3}', '{"history": [], "checkpoint": "../x.h5"}', "\x00" * 20, "[" * 10**5]
)
def test_a_damaged_state(text, stopped, whole):
    (stopped / "training.json").write_text(text)
    assert "the training starts again" in Checkpoints(stopped).mend()
    check_equal(stopped, whole)


def test_the_state_of_an_earlier_version_has_no_hashes(stopped, whole):
    state = json.loads((stopped / "training.json").read_text())
    state = {key: value for key, value in state.items() if key not in ("sha256", "before")}
    (stopped / "training.json").write_text(json.dumps(state))
    assert Checkpoints(stopped).mend() == ""
    damage(stopped / state["checkpoint"], "truncated")
    assert "the training starts again" in Checkpoints(stopped).mend()
    check_equal(stopped, whole)


def test_the_best_epoch_of_both_states_is_kept(tmp_path):
    """Epoch 2 is the best; the state after it still knows the first epoch's weights, and no other file stays."""
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, stop_after=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "0_checkpoint.weights.h5",
        "1_checkpoint.weights.h5",
        "best_1_checkpoint.weights.h5",
        "best_2_checkpoint.weights.h5",
        "training.json",
    ]
