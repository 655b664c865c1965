"""Masks in CVAT's and COCO's forms, out and in, and against pycocotools."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from wsseg.annotations.coco_masks import draw_coco, read_coco, write_coco
from wsseg.annotations.coloured_masks import read_coloured_mask
from wsseg.annotations.cvat_masks import connected_parts, cvat_files, read_label_map, write_cvat
from wsseg.errors import InputError

CLASSES = ("cat", "dog", "cow")


@pytest.fixture
def masks():
    """Several classes with 255, noise of all ids, background alone, 255 alone, one class alone."""
    rng = np.random.default_rng(0)
    several = np.zeros((9, 7), np.uint8)
    several[1:4, 1:6], several[5:, 2:4], several[4], several[8, 6] = 1, 3, 255, 2
    noise = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (6, 11))
    empty, void, full = (np.full((5, 4), one, np.uint8) for one in (0, 255, 2))
    return {"several": several, "noise 2": noise, "nothing.at.all": empty, "void": void, "full": full}


def unpacked(path, to):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(to)
    return to


def labelled(tmp_path, text, classes=CLASSES):
    (tmp_path / "labelmap.txt").write_text(text)
    return read_label_map(tmp_path / "labelmap.txt", classes)


def test_cvat_there_and_back(tmp_path, masks):
    assert write_cvat(tmp_path / "masks.zip", CLASSES, masks.items()) == 5
    folder = unpacked(tmp_path / "masks.zip", tmp_path / "in")
    assert (folder / "labelmap.txt").read_text().splitlines() == [
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        "cat:128,0,0::",
        "dog:0,128,0::",
        "cow:128,128,0::",
        "ignore:224,224,192::",
    ]
    assert (folder / "ImageSets/Segmentation/default.txt").read_text().splitlines() == list(masks)
    code = read_label_map(folder / "labelmap.txt", CLASSES)
    files, without = cvat_files(folder)
    assert set(files) == set(masks) and without == []
    for name, mask in masks.items():
        assert np.array_equal(read_coloured_mask(files[name], code, mask.shape)[0], mask)


def test_cvat_objects_are_the_parts_of_the_classes(tmp_path, masks):
    """CVAT makes one shape of each object, and none of what is black there."""
    write_cvat(tmp_path / "masks.zip", CLASSES, masks.items())
    folder = unpacked(tmp_path / "masks.zip", tmp_path / "in")
    for name, mask in masks.items():
        with Image.open(folder / f"SegmentationObject/{name}.png") as image:
            objects = np.asarray(image)
        assert np.array_equal((objects == 0).all(axis=-1), mask == 0)
        colours = np.unique(objects.reshape(-1, 3), axis=0)
        for colour in colours[colours.any(axis=1)]:
            assert len(np.unique(mask[(objects == colour).all(axis=-1)])) == 1, "an object is of one class"
    chequers = np.indices((40, 40)).sum(axis=0) % 2 * 2 + np.indices((40, 40))[0] % 2
    many = connected_parts(np.kron(chequers, np.array([[1, 0], [0, 0]])).astype(np.uint8))
    assert many.max() == 3, "too many parts for the palette: the classes"


def test_cvat_gives_the_labels_any_colour_and_order(tmp_path):
    code = labelled(
        tmp_path,
        "# label:color_rgb:parts:actions\ncow:10,20,30::\nBackground:0,215,255::\nignored:9,9,9::\ncar:1,2,3::\n"
        "cat:255,255,255::\ndog:7,8,9:hand:run\n",
    )
    colours = [[(10, 20, 30), (0, 215, 255), (9, 9, 9)], [(255, 255, 255), (7, 8, 9), (0, 0, 0)]]
    Image.fromarray(np.array(colours, np.uint8)).save(tmp_path / "a.png")
    mask, _ = read_coloured_mask(tmp_path / "a.png", code, (2, 3))
    assert mask.tolist() == [[3, 0, 255], [1, 2, 0]]
    Image.fromarray(np.array([[[1, 2, 3]]], np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="has the label `car`, which is not a class of this run"):
        read_coloured_mask(tmp_path / "b.png", code, (1, 1), unknown_to_ignore=True)
    Image.fromarray(np.full((1, 1, 3), 77, np.uint8)).save(tmp_path / "d.png")
    with pytest.raises(InputError, match=r"unknown colour \(77, 77, 77\).* exact colours \(labelmap\.txt\)"):
        read_coloured_mask(tmp_path / "d.png", code, (1, 1))
    # A grayscale mask holds places in the list.
    Image.fromarray(np.array([[0, 1, 2], [4, 5, 0]], np.uint8)).save(tmp_path / "c.png")
    assert read_coloured_mask(tmp_path / "c.png", code, (2, 3))[0].tolist() == [[3, 0, 255], [1, 2, 3]]


def test_one_colour_of_two_labels(tmp_path):
    code = labelled(tmp_path, "cat:0,0,0::\nbackground:0,0,0::\ndog:5,5,6::\n")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="label `cat or background`"):
        read_coloured_mask(tmp_path / "a.png", code, (1, 1))


def test_labels_without_colours_have_the_palettes(tmp_path):
    code = labelled(tmp_path, "background:::\ndog:::\ncat:::\n")
    assert code.colours == {(0, 0, 0): 0, (128, 0, 0): 2, (0, 128, 0): 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat:1,2::\n", "line 1: expected `label:red,green,blue::`"),
        ("# only\ncat:1,2,256::\n", "line 2: expected"),
        ("cat:red::\n", "line 1: expected"),
        ("# nothing\n", "names no label"),
    ],
)
def test_broken_label_maps(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        labelled(tmp_path, text)
    with pytest.raises(InputError, match="does not exist; it gives the colours"):
        read_label_map(tmp_path / "none.txt", CLASSES)


def test_names_that_cvat_cannot_hold(tmp_path):
    empty = np.zeros((2, 2), np.uint8)
    with pytest.raises(InputError, match="class `a:b` cannot be written in CVAT's"):
        write_cvat(tmp_path / "a.zip", ("a:b",), [])
    with pytest.raises(InputError, match="image `#1` cannot be listed"):
        write_cvat(tmp_path / "a.zip", CLASSES, [("#1", empty)])
    assert list(tmp_path.iterdir()) == [], "nothing is half written"


def test_a_listed_image_without_a_mask_has_no_object(tmp_path):
    (tmp_path / "SegmentationClass/inner").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/default.txt").write_text("inner/a\nb.c\n\n")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / "SegmentationClass/inner/a.png")
    files, without = cvat_files(tmp_path)
    assert files == {"a": tmp_path / "SegmentationClass/inner/a.png"} and without == ["b.c"]


def test_coco_there_and_back(tmp_path, masks):
    path = tmp_path / "masks.json"
    assert write_coco(path, CLASSES, ((f"{name}.jpg", mask) for name, mask in masks.items())) == 5
    index = read_coco(path)
    assert list(index.images) == list(masks)
    for name, mask in masks.items():
        assert np.array_equal(draw_coco(index, index.images[name], CLASSES, name), mask)


def test_pycocotools_reads_what_is_written(tmp_path, masks, capsys):
    path = tmp_path / "masks.json"
    write_coco(path, CLASSES, ((f"{name}.jpg", mask) for name, mask in masks.items()))
    coco = COCO(path)
    ids = {category["name"]: category["id"] for category in coco.loadCats(coco.getCatIds())}
    assert ids == {"cat": 1, "dog": 2, "cow": 3, "ignore": 4}
    for image in coco.loadImgs(coco.getImgIds()):
        mask = masks[image["file_name"].removesuffix(".jpg")]
        drawn = np.zeros_like(mask)
        for entry in coco.loadAnns(coco.getAnnIds(image["id"])):
            inside = coco.annToMask(entry).astype(bool)
            drawn[inside] = 255 if entry["category_id"] == 4 else entry["category_id"]
            rows, columns = np.nonzero(inside)
            left, top, width, height = entry["bbox"]
            assert (left, left + width, top, top + height) == (
                columns.min(),
                columns.max() + 1,
                rows.min(),
                rows.max() + 1,
            )
            assert entry["area"] == inside.sum() and entry["iscrowd"] == 1
        assert np.array_equal(drawn, mask)


def test_what_pycocotools_writes_is_read(tmp_path):
    from pycocotools import mask as coco_mask

    dog, cat = np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8)
    dog[1:5, 1:6], cat[2:4, 2:4] = 1, 1
    entries = []
    for number, (category, inside) in enumerate([(40, cat), (7, dog)]):
        runs = coco_mask.encode(np.asfortranarray(inside))
        entries.append(
            {
                "id": number,
                "image_id": 3,
                "category_id": category,
                "iscrowd": 0,
                "segmentation": runs | {"counts": runs["counts"].decode()},
                "bbox": coco_mask.toBbox(runs).tolist(),
                "area": float(coco_mask.area(runs)),
            }
        )
    entries.append(entries[0] | {"id": 9, "segmentation": [[6, 0, 8, 0, 8, 3, 6, 3]], "bbox": [6, 0, 2, 3]})
    content = {
        "images": [{"id": 3, "file_name": "x/a.png", "height": 6, "width": 8}],
        "annotations": entries,
        "categories": [{"id": 40, "name": "cat"}, {"id": 7, "name": "dog"}, {"id": 8, "name": "car"}],
    }
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    index = read_coco(path)
    expected = np.where(cat, 1, np.where(dog, 2, 0))  # the smaller is in front
    expected[:3, 6:] = 1
    assert np.array_equal(draw_coco(index, index.images["a"], CLASSES, "a"), expected)

    entries[1]["category_id"] = 8
    path.write_text(json.dumps(content) + " ")
    index = read_coco(path)
    with pytest.raises(InputError, match="a has the category `car`, which is not a class of this run"):
        draw_coco(index, index.images["a"], CLASSES, "a")
    entries[1]["segmentation"] = {"size": [5, 5], "counts": [25]}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="1 annotations cannot be used, such as annotation 1 of image 3"):
        read_coco(path)
    for entry in entries:
        entry["segmentation"] = []
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="has boxes alone"):
        read_coco(path)
