"""`cls_labels.npy`: what NumPy saves is read as NumPy reads it; what would run code is refused, and does not run."""

import os
import pickle
import pickletools

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.datasets.npy_labels import read_npy_labels
from wsseg.datasets.voc import VOC_CLASSES
from wsseg.errors import InputError

ROWS = {"2007_000032": [1, 0, 1], "a": [0, 0, 0], "b c": [1, 1, 1]}


def write_npy(path, content, protocol=None):
    """Write bytes of a pickle, or an object, as NumPy does: a header and the pickle."""
    with path.open("wb") as file:
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
        header += b" " * (117 - len(header)) + b"\n"
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        file.write(content if isinstance(content, bytes) else pickle.dumps(content, protocol))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64", "bool", ">f4"])
def test_what_numpy_saves(tmp_path, dtype):
    rows = {name: np.array(row, dtype) for name, row in ROWS.items()}
    np.save(tmp_path / "a.npy", rows)
    expected = np.load(tmp_path / "a.npy", allow_pickle=True).item()
    for protocol in (None, 0, 1, 2, 3, 4, 5):
        if protocol is not None:
            write_npy(tmp_path / "a.npy", rows if protocol % 2 else np.array(rows), protocol)
        found = read_npy_labels(tmp_path / "a.npy")
        assert found.keys() == expected.keys()
        for name, row in found.items():
            np.testing.assert_array_equal(row, expected[name].astype(np.float32))


def test_numbers_of_irn_are_ids_of_voc(tmp_path):
    np.save(tmp_path / "a.npy", {2007000032: np.array([1.0, 0.0], np.float32)})
    assert list(read_npy_labels(tmp_path / "a.npy")) == ["2007_000032"]


class Hostile:
    """Runs a call when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(folder):
    """Yield pickles that would write the file `ran`, or do other harm."""
    ran = str(folder / "ran")
    for call in (
        (os.system, f"touch {ran}"),
        (eval, f"open({ran!r}, 'w')"),
        (exec, f"open({ran!r}, 'w')"),
        (os.mkdir, ran),
        (np.save, ran, 1),
        (getattr, "text", "join"),
        (__import__, "os"),
        (np.load, ran),
        (bytearray, 10),
    ):
        yield pickle.dumps({"a": Hostile(*call)})
        yield pickle.dumps({Hostile(*call): np.zeros(2)})
        yield pickle.dumps(Hostile(*call), 0)
        yield pickle.dumps([np.zeros(3), Hostile(*call)])
    yield f"cos\nsystem\n(S'touch {ran}'\ntR.".encode()
    yield f"(S'touch {ran}'\nios\nsystem\n.".encode()
    yield f"c__builtin__\neval\n(S'open({ran!r}, \"w\")'\ntR.".encode()
    yield b"cnumpy\nf2py.diagnose.run_command\n."
    yield b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR."
    yield b"\x80\x02\x82\x01."  # a registered class
    yield b"Pos\n."  # something outside of the file
    yield b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR."
    yield b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f."
    yield b"\x80\x04]\x94r\xff\xff\xff\x7fK\x01."
    yield b"(" * 100_000 + b"."
    yield b""
    yield b"."
    yield pickle.dumps({"a": np.array([object()])})
    yield pickle.dumps({"a": np.array(["x"])})
    yield pickle.dumps({"a": np.array([2.0])})
    yield pickle.dumps({"a": np.array([np.nan])})
    yield pickle.dumps({"a": np.zeros((2, 2, 2))})
    yield pickle.dumps({"a": np.zeros(2), "b": np.zeros(3)})
    yield pickle.dumps({"a": [0, 1]})
    yield pickle.dumps({})
    yield pickle.dumps([1])
    yield pickle.dumps("text")
    yield pickle.dumps({"2007_000032": np.zeros(1), 2007000032: np.zeros(1)})
    array = pickletools.optimize(pickle.dumps({"a": np.zeros(4)}, 2))
    for index in range(len(array)):  # one byte changed, and the end cut off
        yield array[:index] + bytes([array[index] ^ 0x55]) + array[index + 1 :]
        yield array[:index]


def test_nothing_in_the_file_is_executed(tmp_path):
    refused = 0
    for content in hostile(tmp_path):
        write_npy(tmp_path / "a.npy", content)
        try:
            found = read_npy_labels(tmp_path / "a.npy")
        except InputError as error:
            refused += 1
            assert "a.npy" in str(error)
        else:  # a changed byte may give another id, or other numbers, but nothing else
            assert all(set(row.tolist()) <= {0, 1} for row in found.values())
        assert not (tmp_path / "ran").exists()
    assert refused > 300
    for content in (b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x09\x00" + b" " * 200):
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npy"):
            read_npy_labels(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((3, 20)))
    with pytest.raises(InputError, match="instead of a dictionary"):
        read_npy_labels(tmp_path / "a.npy")


def test_labels_of_voc_and_of_a_folder(tmp_path):
    root = tmp_path / "VOC2012"
    (root / "JPEGImages").mkdir(parents=True)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    rows = {}
    for name, labels in (("2007_000032", ("aeroplane", "person")), ("2007_000033", ("cat",))):
        Image.new("RGB", (20, 16)).save(root / f"JPEGImages/{name}.jpg")
        rows[name] = np.array([label in labels for label in VOC_CLASSES], np.float32)
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join([*rows, "2007_000099"]))
    np.save(root / "cls_labels.npy", rows)
    dataset = datasets.create("voc", root=root)
    assert [record.labels for record in dataset] == [("aeroplane", "person"), ("cat",)]
    assert (
        "no row" in dataset.set_aside["2007_000099"] or "does not exist" in dataset.set_aside["2007_000099"]
    )
    photographs = root / "JPEGImages"
    np.save(photographs / "labels.npy", {name: row[:3] for name, row in rows.items()})
    options = {"labels_csv": "labels.npy", "split": "all", "allow_unlabelled": True}
    dataset = datasets.create("folder", root=photographs, classes=("a", "b", "c"), **options)
    assert [record.labels for record in dataset] == [("a",), ()]
    with pytest.raises(InputError, match="3 numbers per image, and there are 2 `classes`"):
        datasets.create("folder", root=photographs, classes=("a", "b"), **options)
    with pytest.raises(InputError, match="names no classes; give `classes`"):
        datasets.create("folder", root=photographs, **options)
