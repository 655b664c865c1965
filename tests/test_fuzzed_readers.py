"""Files of every reader that the tests of datasets leave out, damaged anywhere: read, or refused in one error."""

import argparse
import contextlib
import copy
import io
import json
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from examples.fuzzing import counts, hold
from examples.memory_limit import memory_limit
from hypothesis import strategies as st
from PIL import Image

from wsseg.annotations.box_table import boxes_of, read_box_table
from wsseg.annotations.coloured_masks import palette_code, read_coloured_mask
from wsseg.annotations.cvat_masks import read_label_map
from wsseg.artifacts import ClassMaps, Manifest, read_json
from wsseg.backbones.vgg_dense import read_dense
from wsseg.commands.class_names import read_class_names
from wsseg.commands.class_shares import read_sources
from wsseg.commands.datasets import dataset_options
from wsseg.commands.evaluate_maps.class_outputs import class_outputs
from wsseg.commands.input_options import channel_numbers, factor, input_side, numbers
from wsseg.commands.mask_sources import found_masks
from wsseg.commands.panoptic_files import read_panoptic
from wsseg.datasets.cityscapes_truth import labels_of_polygons, read_instance_ids
from wsseg.datasets.gray_masks import gray_levels
from wsseg.datasets.mat_files import read_id_map, read_mat
from wsseg.datasets.pascal_context import read_names
from wsseg.datasets.voc import read_list
from wsseg.datasets.voc_boxes import VocBoxes, image_name
from wsseg.errors import InputError
from wsseg.explainers import as_text
from wsseg.image_arrays import read_npy, read_tiff_stack
from wsseg.inference.class_names import names_of_run
from wsseg.objects.coco_results import read_results
from wsseg.objects.coco_truth import read_truth
from wsseg.objects.instance_files import read_instances, write_instances
from wsseg.objects.instances import Instances
from wsseg.objects.run_length import decode_mask
from wsseg.recipe import load_recipe
from wsseg.recipe.of_run import folder_of_paths, read_owner
from wsseg.supervision.contents import Contents
from wsseg.training.history import read_history

GRAY = (np.arange(80, dtype=np.uint8) % 3).reshape(8, 10)

ODD = [
    None, True, -1, 0, 3, 2**31, 2**63 - 1, 2**63, 10**400, 0.5, 1e308, float("inf"), float("nan"), "", "x", "9" * 5000,
    "--5", "1e400", "../a", "/etc/passwd", "a\0b", "x" * 300, "[/x]", "a\nb", "²", [], {}, [[]], [None], {"a": 1},
    [2**63 - 1, 2**63 - 1, 402],
]  # fmt: skip
"""Values that stand where another was expected."""


def saved(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez_compressed(
        file, class_ids=np.int32([1, 2]), maps=np.ones((2, 3, 4), np.float16), size_hw=np.int32([6, 8])
    )
    return file.getvalue()


def mat():
    file = io.BytesIO()
    scipy.io.savemat(file, {"LabelMap": GRAY.astype(float)})
    return file.getvalue()


def tiff():
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((5, 6, 7), np.uint16))
    return file.getvalue()


def hdf5():
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content["fc1/kernel"] = np.zeros((4, 2))
        content["fc1/bias"] = np.zeros(2)
        content["fc2/kernel"] = np.zeros((2, 2))
    return file.getvalue()


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("labelmap.txt", "cat:128,0,0::\ndog:0,128,0::\nbackground:0,0,0::\n")
        content.writestr("SegmentationClass/a.png", saved(np.zeros((8, 10, 3), np.uint8)))
        content.writestr("ImageSets/Segmentation/default.txt", "a\nb\n")
    return file.getvalue()


def read_archive(path):
    with found_masks([path], ("cat", "dog")) as found:
        for one in found.masks:
            one.read((8, 10), False)


def read_manifest(path):
    return Manifest.load(path.parent)


def read_run(path):
    owner = read_owner(path.parent)
    folder_of_paths(path.parent)
    names_of_run(path.parent / "stage" / "model.keras")
    return owner


def read_contents(path):
    found = Contents(path)
    found.changed_since("images", {"a": path}, 0)
    found.add("images", {"a": path})
    return found.only_times_differ


def read_boxes(path):
    return VocBoxes(path.parent, ("cat",)).read_file(path, path.parent / "image.png"), image_name(path)


def read_found(path):
    truth = read_truth(path.parent / "truth.json")
    found = read_results(path, truth)
    return [found.instances(image) for image in truth.index.images]


def read_segments(path):
    found = read_panoptic(path)
    return [
        found.segments(image, {number: index for index, number in enumerate(found.categories, 1)})
        for image in found.annotations
    ]


BYTES = {
    "boxes.csv": (
        b"image,label,left,top,right,bottom\na.jpg,cat,1,2,5,6\n",
        lambda path: boxes_of(read_box_table(path, ("cat",)), "a", (8, 10)),
    ),
    "labelmap.txt": (b"cat:128,0,0::\nbackground:0,0,0::\n", lambda path: read_label_map(path, ("cat",))),
    "maps.npz": (npz(), ClassMaps.load),
    "a.npy": (npy(np.ones((3, 4), np.float32)), read_npy),
    "a.mat": (mat(), lambda path: read_id_map(read_mat(path, "LabelMap"), str(path))),
    "a.tif": (tiff(), read_tiff_stack),
    "vgg.weights.h5": (hdf5(), read_dense),
    "masks.zip": (archive(), read_archive),
    "names.txt": (b"cat\ndog\n", read_class_names),
    "names.csv": (b"index,name\n0,cat\n1,dog\n", read_class_names),
    "shares.csv": (b"id,photograph,cat\na,/x/a.jpg,0.5\n", lambda path: read_sources(path.parent)),
    "map.txt": (b"cat: 0-2\n# dogs\ndog: 5\n", lambda path: class_outputs(("cat", "dog"), 9, None, path)),
    "labels.txt": (b"1: cat\n2: dog\n", read_names),
    "train.txt": (b"2007_1\n2007_2 x\n", read_list),
    "history.csv": (b"epoch,loss\n1,0.5\n2,\n", read_history),
    "a.xml": (
        b"<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        b"<xmax>5</xmax><ymax>6</ymax></bndbox></object></annotation>",
        read_boxes,
    ),
    "ids.png": (saved(GRAY.astype(np.uint16) + 26_000), read_instance_ids),
    "gray.png": (saved(GRAY), gray_levels),
    "coloured.png": (
        saved(np.zeros((8, 10, 3), np.uint8)),
        lambda path: read_coloured_mask(path, palette_code(2), (8, 10), True),
    ),
    "recipe.yaml": (
        b"name: mine\nseed: 3\nsegment: {epochs: 3, crop: 64}\nclassify:\n  epochs: 2\n",
        load_recipe,
    ),
}
"""Name of a file -> a good content, and its reader."""

JSON = {
    "any.json": ({"level": 0.5, "rule": "fixed"}, lambda path: read_json(path, dict, ("level", "rule"))),
    "manifest.json": (
        {
            "stage": "label", "definition": {}, "counts": {"classes": ["cat"]}, "set_aside": {}, "versions": {},
            "wall_seconds": 1.5, "resumed": False, "peak_memory_mb": 3.0, "warnings": [], "inputs_made": {},
        },
        read_manifest,
    ),
    "recipe.json": (
        {
            "name": "mine", "file": "scenes", "overrides": ["--seed=3"], "working_folder": ["..", "/tmp"],
            "options": {"seed": 3, "dataset": {"root": "photos", "classes": ["cat"]}},
        },
        read_run,
    ),
    "contents.json": (
        {"revision": 1, "sections": {"images": {"a": {"size": 3, "mtime_ns": 5, "hashes": [[0, "x"], [1, "y"]]}}}},
        read_contents,
    ),
    "objects.json": (
        {
            "image_id": "a", "size": [8, 10], "masks": True, "scored": True, "class_names": ["cat"],
            "detections": [
                {
                    "image_id": "a", "category_id": 1, "bbox": [1.0, 1.0, 2.0, 2.0], "score": 0.5,
                    "segmentation": {"size": [8, 10], "counts": [8, 4, 68]},
                }
            ],
        },
        read_instances,
    ),
    "panoptic.json": (
        {
            "images": [{"id": 1, "file_name": "a.jpg", "height": 8, "width": 10}],
            "annotations": [
                {
                    "image_id": 1, "file_name": "a.png",
                    "segments_info": [{"id": 1, "category_id": 3, "iscrowd": 0, "area": 80, "bbox": [0, 0, 10, 8]}],
                }
            ],
            "categories": [{"id": 3, "name": "cat", "isthing": 1}],
        },
        read_segments,
    ),
    "results.json": (
        [
            {"image_id": 1, "category_id": 3, "bbox": [1, 1, 4, 4], "score": 0.5},
            {
                "image_id": 1, "category_id": 3, "score": 0.25,
                "segmentation": {"size": [8, 10], "counts": [8, 4, 68]},
            },
        ],
        read_found,
    ),
    "names.json": ({"cat": 0, "dog": 1}, read_class_names),
    "polygons.json": ({"objects": [{"label": "car", "polygon": [[1, 2], [3, 4], [5, 6]]}]}, labels_of_polygons),
}  # fmt: skip
"""Name of a JSON file -> a good content, and its reader."""


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that readers open beside the one that is damaged."""
    (tmp_path / "image.png").write_bytes(saved(GRAY))
    (tmp_path / "panoptic").mkdir()
    red = np.zeros((8, 10, 3), np.uint8)
    red[..., 0] = 1
    (tmp_path / "panoptic/a.png").write_bytes(saved(red))
    truth = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 8, "width": 10}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
        ],
        "categories": [{"id": 3, "name": "cat"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return tmp_path


def damaged(content):
    """Return a strategy of bytes: changed, cut, lengthened, or others altogether."""
    place = st.integers(0, len(content))
    pieces = st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from(
            [b"\0" * 9, b"9" * 5000, b"-1", b"1e400", b"nan", b"\xff\xfe", b"[" * 3000, b"2038-99-99"]
        ),
    )
    change = st.tuples(place, pieces, st.booleans()).map(
        lambda one: content[: one[0]] + one[1] + content[one[0] + (len(one[1]) if one[2] else 0) :]
    )
    return st.one_of(
        change, change, place.map(lambda end: content[:end]), st.just(content), st.binary(max_size=40)
    )


def nodes(content, path=()):
    """Yield the way to each value inside a JSON content."""
    yield path
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from nodes(value, (*path, key))


def replaced(content, path, value, lost):
    """Return a content with another value at one place, or without it."""
    if not path:
        return value
    content = copy.deepcopy(content)
    *way, last = path
    inside = content
    for key in way:
        inside = inside[key]
    if lost:
        del inside[last]
    else:
        inside[last] = value
    return content


def read_or_refused(reader, path):
    """Call a reader under a limit of memory; the error must name the file, or the option of a recipe."""
    try:
        with memory_limit(2**30):
            reader(path)
    except InputError as error:
        assert path.stem in str(error) or (path.name == "recipe.yaml" and "`" in str(error)), error


@pytest.mark.parametrize("name", BYTES)
@counts(25, 2_500)
def test_damaged_bytes(folder, name, count):
    content, reader = BYTES[name]
    path = folder / name
    path.write_bytes(content)
    if name != "vgg.weights.h5":
        reader(path)
    number = [0]

    def check(damage):
        number[0] += 1
        path.write_bytes(damage)
        read_or_refused(reader, path)

    hold(check, damaged(content), count // 5 + 1 if name == "recipe.yaml" else count)


@pytest.mark.parametrize("name", JSON)
@counts(60, 3_000)
def test_damaged_json(folder, name, count):
    content, reader = JSON[name]
    path = folder / name
    path.write_text(json.dumps(content))
    reader(path)
    values = st.one_of(st.sampled_from(ODD), st.integers(), st.floats(), st.text(max_size=4))
    changed = st.tuples(st.sampled_from(list(nodes(content))), values, st.booleans()).map(
        lambda one: json.dumps(replaced(content, *one)).encode()
    )

    def check(damage):
        path.write_bytes(damage)
        read_or_refused(reader, path)

    hold(check, st.one_of(changed, changed, changed, damaged(json.dumps(content).encode())), count)


WORDS = {
    "numbers": numbers,
    "factor": factor,
    "channels": channel_numbers,
    "side": input_side,
    "option": lambda text: dataset_options([text, f"a={text}"]),
    "explainer": as_text.read,
    "override": lambda text: load_recipe(None, [text]),
    "epochs": lambda text: load_recipe(None, [f"--segment.epochs={text}"]),
    "root": lambda text: load_recipe(None, [f"--dataset.root={text}"]),
    "section": lambda text: load_recipe(None, ["--segment", text]),
}
"""Readers of words of the command line."""


@pytest.mark.parametrize("name", WORDS)
@counts(25, 1_500)
def test_any_word_of_the_command_line(name, count):
    odd = [str(one) for one in ODD] + [
        "1/0",
        "9" * 400 + "/1",
        "[" * 3000,
        "{" * 3000,
        "2038-99-99",
        "&a [*a]",
        "=",
        "--",
    ]
    text = st.one_of(
        st.text(max_size=8), st.sampled_from(odd), st.text("0123456789.,/xe-:{}[]=& ", max_size=8)
    )

    def check(word):
        with contextlib.suppress(InputError, argparse.ArgumentTypeError):
            WORDS[name](word)

    hold(check, text, count)


@counts(200, 15_000)
def test_any_run_lengths(count):
    """Decoded as a slow reading does it, or refused."""
    lengths = st.lists(
        st.one_of(
            st.integers(0, 40), st.sampled_from([2**63 - 1, 2**63, 2**64 - 20, 2**31, -1, 10**30, True])
        ),
        max_size=6,
    )
    given = st.one_of(lengths, st.text(st.characters(min_codepoint=40, max_codepoint=115), max_size=12))

    def check(counts_):
        try:
            found = decode_mask({"size": [4, 5], "counts": counts_}, (4, 5))
        except InputError:
            assert not (isinstance(counts_, list) and sum(counts_) == 20 and min(counts_) >= 0)
            return
        assert found.shape == (4, 5)
        if isinstance(counts_, list):
            flat = [index % 2 for index, run in enumerate(counts_) for _ in range(run)]
            assert found.T.ravel().tolist() == [one == 1 for one in flat]

    hold(check, given, count)


def test_what_was_written_is_read(folder):
    """The files above are what wsseg writes: one of them for comparison."""
    path = folder / "objects.json"
    inside = np.zeros((1, 8, 10), bool)
    inside[0, :4, 1] = True
    one = Instances.of_masks(inside, [1], scores=np.array([0.5]))
    write_instances(path, one, "a", ("cat",))
    assert set(json.loads(path.read_text())) == set(JSON["objects.json"][0])
