"""Model files: whole or not there, and never begun without room."""

import collections
import shutil

import keras
import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.training.model_files import require_space, save_model


def network():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def test_saved_under_its_name_alone(tmp_path):
    model = network()
    save_model(model, tmp_path / "model.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(np.ones((1, 4))), model(np.ones((1, 4))))


def test_failure_leaves_the_older_file(tmp_path, monkeypatch):
    model = network()
    save_model(model, tmp_path / "model.keras")
    before = (tmp_path / "model.keras").read_bytes()

    def cut_short(path):
        path.write_bytes(b"half")
        raise OSError

    monkeypatch.setattr(model, "save", cut_short)
    with pytest.raises(OSError):
        save_model(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").read_bytes() == before


def test_no_room(tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 2**20))
    with pytest.raises(InputError, match=r"cannot write .*model\.keras: it needs 1 MiB.*free some space"):
        require_space(tmp_path / "model.keras", network().variables)
    assert not list(tmp_path.iterdir())
