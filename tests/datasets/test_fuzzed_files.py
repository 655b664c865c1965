"""Annotation files, masks and images from generated or damaged bytes: right, by a slow reading, or refused."""

import base64
import io
import json

import numpy as np
from examples.fuzzing import counts, hold
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from wsseg.artifacts import read_mask
from wsseg.datasets.colour_table import read_coloured
from wsseg.datasets.labelme_shapes import LabelmeMasks, read_annotation
from wsseg.datasets.mask_values import stored_values, value_table
from wsseg.datasets.npy_labels import read_npy_labels
from wsseg.datasets.record import Record
from wsseg.datasets.voc_boxes import annotated_objects
from wsseg.errors import InputError
from wsseg.image_files import image_size_hw, read_image
from wsseg.objects.coco_annotations import read_index
from wsseg.objects.coco_drawing import mask_of_objects

HEIGHT, WIDTH = 8, 10

json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 400), st.floats(), st.text(max_size=5), st.just(10**400)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def damaged(content):
    """Return a strategy of bytes: changed, cut, repeated or as they are."""
    place = st.integers(0, max(len(content) - 1, 0))
    change = st.tuples(place, st.binary(min_size=1, max_size=4)).map(
        lambda found: content[: found[0]] + found[1] + content[found[0] + len(found[1]) :]
    )
    cut = place.map(lambda end: content[:end])
    insert = st.tuples(place, st.binary(min_size=1, max_size=8)).map(
        lambda found: content[: found[0]] + found[1] + content[found[0] :]
    )
    return st.one_of(change, change, cut, insert, st.just(content), st.binary(max_size=40))


def boxes():
    """Return a strategy of boxes with whole sides inside the image."""
    left, top = st.integers(0, WIDTH - 2), st.integers(0, HEIGHT - 2)
    return st.tuples(left, top, st.integers(1, 5), st.integers(1, 5)).map(
        lambda box: (box[0], box[1], min(box[0] + box[2], WIDTH), min(box[1] + box[3], HEIGHT))
    )


def coco_entry(number, image, category, box, form):
    left, top, right, bottom = box
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    pixels[top:bottom, left:right] = 1
    run_lengths = coco_mask.encode(pixels)
    outline = {
        "polygon": [[left, top, right, top, right, bottom, left, bottom]],
        "runs": {"size": [HEIGHT, WIDTH], "counts": run_lengths["counts"].decode()},
        "text": [[str(value) for value in (left, top, right, top, right, bottom, left, bottom)]],
    }[form]
    entry = {"id": number, "image_id": image, "category_id": category, "iscrowd": 0, "segmentation": outline}
    return entry | {
        "bbox": [left, top, right - left, bottom - top],
        "area": int(pixels.sum()),
    }, pixels.astype(bool)


objects = st.lists(
    st.tuples(st.integers(1, 2), st.integers(1, 3), boxes(), st.sampled_from(["polygon", "runs", "text"])),
    max_size=5,
)


def coco_content(found):
    entries, drawn = [], []
    for number, (image, category, box, form) in enumerate(found, 1):
        entry, pixels = coco_entry(number, image, category, box, form)
        entries.append(entry)
        drawn.append((image, category, pixels))
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "height": HEIGHT, "width": WIDTH} for n in (1, 2)],
        "annotations": entries,
        "categories": [{"id": n, "name": f"c{n}"} for n in (1, 2, 3)],
    }
    return content, drawn


@counts(200, 6_000)
def test_coco_files_are_read_as_pycocotools_draws_them(tmp_path, count):
    path = tmp_path / "coco.json"
    number = [0]

    def check(found):
        content, drawn = coco_content(found)
        path.write_text(json.dumps(content) + " " * (number[0] % 5000))  # another size each time
        number[0] += 1
        index = read_index(path)
        for image in (1, 2):
            its = [(category, pixels) for one, category, pixels in drawn if one == image]
            assert [one.category for one in index.images[image].objects] == [category for category, _ in its]
            expected = np.zeros((HEIGHT, WIDTH), np.uint8)
            for category, pixels in sorted(its, key=lambda one: -int(one[1].sum())):
                expected[pixels] = category
            np.testing.assert_array_equal(mask_of_objects(index.images[image], {1: 1, 2: 2, 3: 3}), expected)

    hold(check, objects, count)


@counts(300, 8_000)
def test_coco_files_with_anything_in_them(tmp_path, count):
    path = tmp_path / "coco.json"
    number = [0]
    parts = st.sampled_from(["images", "annotations", "categories"])
    keys = st.sampled_from(
        [
            "id",
            "image_id",
            "category_id",
            "bbox",
            "segmentation",
            "iscrowd",
            "area",
            "file_name",
            "height",
            "name",
            "width",
        ]
    )

    def check(case):
        found, part, row, key, value, drop = case
        content, _ = coco_content(found)
        rows = content[part]
        if rows:
            entry = rows[row % len(rows)]
            if drop:
                entry.pop(key, None)
            else:
                entry[key] = value
        else:
            content[part] = value
        path.write_text(json.dumps(content) + " " * (number[0] % 5000))
        number[0] += 1
        try:
            index = read_index(path)
        except InputError as error:
            assert "coco.json" in str(error)
            return
        for image in index.images.values():
            if image.size_hw[0] * image.size_hw[1] > 10**6:
                continue  # memory
            mask = mask_of_objects(image, dict.fromkeys(index.categories, 1))
            assert mask.shape == image.size_hw and set(np.unique(mask).tolist()) <= {0, 1, 255}
        kept = sum(len(image.objects) for image in index.images.values())
        assert kept + len(index.left_out) == len(content["annotations"])

    hold(check, st.tuples(objects, parts, st.integers(0, 9), keys, json_values, st.booleans()), count)


@counts(200, 4_000)
def test_labelme_files_are_drawn_in_their_order(tmp_path, count):
    path = tmp_path / "a.json"
    image = tmp_path / "a.png"
    Image.new("L", (WIDTH, HEIGHT)).save(image)
    number = [0]
    labels = st.sampled_from(["cat", "dog", "_background_", "__ignore__", "other"])

    def check(shapes):
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        entries = []
        for label, (left, top, right, bottom) in shapes:
            entries.append(
                {"label": label, "points": [[left, top], [right - 1, bottom - 1]], "shape_type": "rectangle"}
            )
            expected[top:bottom, left:right] = {"cat": 1, "dog": 2, "__ignore__": 255}.get(label, 0)
        content = {
            "shapes": entries,
            "imagePath": "a.jpg",
            "imageHeight": HEIGHT,
            "imageWidth": WIDTH,
            "flags": {},
        }
        path.write_text(json.dumps(content) + " " * (number[0] % 5000))
        number[0] += 1
        found = LabelmeMasks(("cat", "dog")).read(Record("a", image, (), path))
        np.testing.assert_array_equal(found, expected)
        assert read_annotation(path).labels == {label for label, _ in shapes} - {"_background_", "__ignore__"}

    hold(check, st.lists(st.tuples(labels, boxes()), max_size=4), count)


@counts(300, 6_000)
def test_labelme_files_with_anything_in_them(tmp_path, count):
    path = tmp_path / "a.json"
    image = tmp_path / "a.png"
    Image.new("L", (WIDTH, HEIGHT)).save(image)
    number = [0]
    picture = io.BytesIO()
    Image.fromarray(np.ones((2, 2), np.uint8)).save(picture, "PNG")
    shape = {"label": "cat", "points": [[1, 1], [4, 1], [4, 5]], "shape_type": "polygon", "flags": {}}
    shape |= {"mask": base64.b64encode(picture.getvalue()).decode()}
    kinds = st.sampled_from(
        ["polygon", "rectangle", "circle", "mask", "point", "line", "linestrip", "oriented_rectangle"]
    )
    points = st.lists(
        st.lists(st.one_of(st.integers(-5, 20), st.floats()), min_size=1, max_size=3), max_size=5
    )
    more = st.one_of(
        st.fixed_dictionaries({"shape_type": kinds, "points": points}),
        st.dictionaries(st.sampled_from(["label", "points", "shape_type", "mask"]), json_values, min_size=1),
    )
    whole = st.dictionaries(
        st.sampled_from(["shapes", "imagePath", "imageHeight", "imageWidth", "flags"]),
        json_values,
        max_size=2,
    )

    def check(case):
        changed, replaced = case
        content = {
            "shapes": [shape, shape | changed],
            "imagePath": "a.jpg",
            "imageHeight": HEIGHT,
            "imageWidth": WIDTH,
        }
        path.write_text(json.dumps(content | replaced) + " " * (number[0] % 5000))
        number[0] += 1
        try:
            found = read_annotation(path)
            drawn = not found.open_shapes
            mask = LabelmeMasks(("cat",)).read(Record("a", image, (), path)) if drawn else None
        except InputError as error:
            assert "a.json" in str(error)
            return
        if mask is not None:
            assert mask.shape == found.size_hw
            assert mask.shape != (HEIGHT, WIDTH) or set(np.unique(mask).tolist()) <= {0, 1, 255}

    hold(check, st.tuples(more, whole), count)


def saved(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


NOISE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
EXIF = Image.Exif()
EXIF[0x0112] = 6
FILES = {
    "jpg": saved(NOISE, "JPEG", exif=EXIF),
    "png": saved(NOISE, "PNG"),
    "gray.png": saved(NOISE[..., 0], "PNG"),
    "deep.png": saved(NOISE[..., 0].astype(np.uint16) * 257, "PNG"),
    "gif": saved(NOISE[..., 0], "GIF"),
    "bmp": saved(NOISE, "BMP"),
    "tif": saved(NOISE[..., 0], "TIFF", exif=EXIF),
    "float.tif": saved(NOISE[..., 0].astype(np.float32), "TIFF"),
    "webp": saved(NOISE, "WEBP", lossless=True),
    "ppm": saved(NOISE, "PPM"),
}


@counts(200, 5_000)
def test_damaged_images_are_read_or_refused(tmp_path, count):
    def check(case):
        kind, content = case
        path = tmp_path / f"a.{kind}"
        path.write_bytes(content)
        try:
            size = image_size_hw(path)
        except InputError:
            size = None
        if size is not None and size[0] * size[1] > 10**6:
            return  # a size that a changed byte states: memory, and no fault of the reading
        try:
            pixels = read_image(path)
        except InputError as error:
            assert "a." in str(error)
            return
        assert (
            pixels.dtype == np.uint8
            and pixels.ndim == 3
            and pixels.shape[2] == 3
            and size == pixels.shape[:2]
        )

    hold(
        check,
        st.sampled_from(list(FILES)).flatmap(lambda kind: st.tuples(st.just(kind), damaged(FILES[kind]))),
        count,
    )


@counts(200, 3_000)
def test_masks_of_any_kind_are_read_as_they_are_stored(tmp_path, count):
    ids = st.sampled_from([0, 1, 2, 3, 127, 128, 254, 255])
    modes = st.sampled_from(["L", "P", "1", "I;16", "RGB", "RGBA", "LA", "F", "jpg"])

    def check(case):
        values, mode = np.array(case[0], np.uint8).reshape(2, 3), case[1]
        pixels = {
            "I;16": values.astype(np.uint16), "1": values > 0, "RGB": np.dstack([values] * 3),
            "RGBA": np.dstack([values] * 3 + [np.full_like(values, 255)]), "F": values.astype(np.float32),
            "LA": np.dstack([values, np.full_like(values, case[2])]),
        }.get(mode, values)  # fmt: skip
        image = Image.fromarray(pixels)
        if mode == "P":
            image.putpalette(list(range(256)) * 3)
        path = tmp_path / f"a.{'tif' if mode == 'F' else 'jpg' if mode == 'jpg' else 'png'}"
        image.save(path)
        try:
            found = stored_values(path)
        except InputError:
            assert mode in ("F", "jpg") or (mode == "LA" and case[2] < 255)
            return
        assert mode not in ("F", "jpg")
        np.testing.assert_array_equal(found, values > 0 if mode == "1" else values)
        if mode in ("L", "P"):
            np.testing.assert_array_equal(read_mask(path), values)

    hold(
        check, st.tuples(st.lists(ids, min_size=6, max_size=6), modes, st.sampled_from([0, 254, 255])), count
    )


@counts(200, 4_000)
def test_damaged_masks_are_read_or_refused(tmp_path, count):
    values = np.arange(80, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 3
    path = tmp_path / "a.png"

    def check(content):
        path.write_bytes(content)
        for read in (stored_values, read_mask, lambda file: read_coloured(file, {(0, 0, 0): 0})):
            try:
                found = read(path)
            except InputError as error:
                assert "a.png" in str(error)
            else:
                assert found.ndim == 2

    hold(check, damaged(saved(values, "PNG")), count)


@counts(200, 3_000)
def test_meanings_of_values(count):
    values = st.one_of(st.integers(-2, 70_000), st.sampled_from(["0", "255", "x", None, True, 1.5]))
    meanings = st.one_of(
        st.integers(-1, 300), st.sampled_from(["cat", "dog", "background", "ignore", "3", "bird", None])
    )
    known = {"cat": 1, "dog": 2, "background": 0, "ignore": 255}

    def check(given):
        try:
            table = value_table(("cat", "dog"), given, "mask_values")
        except InputError:
            return
        assert given
        for value, meaning in given.items():
            assert table[int(value)] == known.get(meaning, meaning)

    hold(check, st.dictionaries(values, meanings, max_size=4), count)


@counts(300, 5_000)
def test_damaged_arrays_of_labels(tmp_path, count):
    path = tmp_path / "a.npy"
    file = io.BytesIO()
    np.save(file, {"a": np.float32([0, 1, 1]), "b": np.float32([1, 0, 0])})

    def check(content):
        path.write_bytes(content)
        try:
            found = read_npy_labels(path)
        except InputError as error:
            assert "a.npy" in str(error)
            return
        assert len({row.shape for row in found.values()}) == 1
        if content == file.getvalue():
            assert {name: row.tolist() for name, row in found.items()} == {"a": [0, 1, 1], "b": [1, 0, 0]}

    hold(check, damaged(file.getvalue()), count)


@counts(200, 4_000)
def test_damaged_annotations_of_voc(tmp_path, count):
    path = tmp_path / "a.xml"
    content = b"<annotation><object><name>cat</name><difficult>0</difficult></object></annotation>"

    def check(damage):
        path.write_bytes(damage)
        try:
            found = annotated_objects(path, difficult=True)
        except InputError as error:
            assert "a.xml" in str(error)
            return
        if damage == content:
            assert [item.findtext("name") for item in found] == ["cat"]

    hold(check, damaged(content), count)
