"""Reading state dicts: every float as float32, and what is refused, above all a pickle that would run code."""

import pickle
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from wsseg.errors import InputError
from wsseg.imported_weights.state_dict import read_state_dict

STATE = {
    "conv.weight": np.arange(12, dtype="float16").reshape(2, 3, 1, 2),
    "bn.weight": np.array([0.1, 0.2], "float64"),
    "bn.num_batches_tracked": np.array(7),
}


def assert_is_state(found):
    assert set(found) == set(STATE)
    for name, array in found.items():
        np.testing.assert_array_equal(array, STATE[name].astype("float32"))
    assert found["conv.weight"].dtype == found["bn.weight"].dtype == np.float32


@pytest.fixture
def safetensors(tmp_path):
    save_file(STATE, tmp_path / "state.safetensors")
    return tmp_path / "state.safetensors"


def refuse(path, match):
    with pytest.raises(InputError, match=match) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)


def test_safetensors(safetensors):
    assert_is_state(read_state_dict(safetensors))
    assert_is_state(read_state_dict(str(safetensors)))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.95])
def test_safetensors_that_end_early(safetensors, share):
    content = safetensors.read_bytes()
    safetensors.write_bytes(content[: int(share * len(content))])
    refuse(safetensors, "broken, incomplete")


def test_other_files(tmp_path, safetensors):
    refuse(tmp_path / "absent.safetensors", "does not exist; give a .safetensors, .pth, .pt file")
    (tmp_path / "weights.bin").write_bytes(b"x")
    refuse(tmp_path / "weights.bin", r"must be named \*\.safetensors or \*\.pth or \*\.pt")
    save_file({}, tmp_path / "empty.safetensors")
    refuse(tmp_path / "empty.safetensors", "holds no tensor")


class Malicious:
    """Unpickled, it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_named_safetensors_is_not_run(tmp_path):
    path, mark = tmp_path / "state.safetensors", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"conv.weight": Malicious(mark)}))
    refuse(path, "broken, incomplete, or not a safetensors file")
    assert not mark.exists()


@pytest.mark.parametrize("library", ["torch", "safetensors.numpy"])
def test_a_missing_library_is_named(monkeypatch, tmp_path, safetensors, library):
    monkeypatch.setitem(sys.modules, library, None)
    if library == "torch":
        mark = tmp_path / "ran"
        (tmp_path / "state.pth").write_bytes(pickle.dumps({"conv.weight": Malicious(mark)}))
        refuse(tmp_path / "state.pth", r'pip install "wsseg\[torch\]"; or convert .* safetensors')
        assert not mark.exists()
    else:
        refuse(safetensors, "pip install safetensors")


def test_a_pytorch_whose_loading_is_not_safe_is_refused(monkeypatch, tmp_path):
    old = type(sys)("torch")
    old.__version__ = "2.9.1+cpu"
    monkeypatch.setitem(sys.modules, "torch", old)
    (tmp_path / "state.pth").write_bytes(b"x")
    refuse(tmp_path / "state.pth", r"PyTorch 2\.10 or newer; this is 2\.9\.1\+cpu")


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("suffix", ["pth", "pt"])
@pytest.mark.parametrize("legacy", [False, True])
def test_pytorch(torch, tmp_path, suffix, legacy):
    path = tmp_path / f"state.{suffix}"
    state = {name: torch.from_numpy(array) for name, array in STATE.items()}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    assert_is_state(read_state_dict(path))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refuse(path, "broken")


def test_bfloat16(torch, tmp_path):
    torch.save({"weight": torch.tensor([0.5, -2.0], dtype=torch.bfloat16)}, tmp_path / "state.pth")
    assert read_state_dict(tmp_path / "state.pth")["weight"].tolist() == [0.5, -2.0]


@pytest.mark.parametrize("nested", [False, True])
def test_a_malicious_pickle_is_refused_and_not_run(torch, tmp_path, nested):
    path, mark = tmp_path / "state.pth", tmp_path / "ran"
    content = {"conv.weight": torch.zeros(2), "extra": Malicious(mark)}
    if nested:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(Malicious(mark)))
    refuse(path, "is refused: .* could run any code")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Malicious(mark))).close()  # it is one indeed
    assert mark.exists()


def test_pytorch_files_of_other_things(torch, tmp_path):
    torch.save({"model": {"conv.weight": torch.zeros(2)}, "epoch": 3}, tmp_path / "checkpoint.pth")
    refuse(tmp_path / "checkpoint.pth", "holds the entries `model`, `epoch`, not tensors by name")
    torch.save(torch.zeros(2), tmp_path / "tensor.pth")
    refuse(tmp_path / "tensor.pth", "holds a Tensor, not tensors by name")
