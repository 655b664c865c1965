"""Tables of labels from generated content: the right reading, by a slow reading of its own, or an InputError."""

import csv
import io

import numpy as np
from examples.fuzzing import counts, hold
from hypothesis import strategies as st

from wsseg.datasets.colour_table import read_colours
from wsseg.datasets.label_cells import labels_of_cells
from wsseg.datasets.label_table import read_label_table
from wsseg.errors import InputError

WORDS = ["cat", "dog", "red fox", "zebra", "T-Rex", "größe", "7", "11"]
ODD = [
    "", " ", "none", "nan", "0", "1", "?", "Cat", "cats", "cat/dog", "[", "]", "'", '"', "{", "(", ",", ";", "|", "\t",
    "\n", "\r", "\0", "\ufeff", "\u200b", "background", "train", "val", "fold", "True", "-", "\\", "é",
    "e\u0301", "['cat' 'dog']",
    "['cat', 'dog']", "{1, 'a'}", "{[1]}", "(1)(2)", "['\\d']", "9" * 5000, "[" * 300, "1e999", "None", "[None]",
]  # fmt: skip
HEADERS = [
    "image",
    "labels",
    "split",
    "file_name",
    "tags",
    "cat",
    "dog",
    "is_valid",
    "fold",
    "Subset",
    "",
    "id",
    "Labels",
]

text = st.one_of(st.sampled_from(WORDS + ODD), st.text(max_size=12))


@counts(300, 10_000)
def test_any_text_is_a_table_or_refused(tmp_path, count):
    path = tmp_path / "labels.csv"

    def check(case):
        content, encoding = case
        path.write_bytes(content.encode(encoding, "surrogatepass"))
        try:
            table = read_label_table(path)
        except InputError as error:
            assert str(error) and "labels.csv" in str(error)
            return
        assert table.labels and table.labels.keys() == table.lines.keys() == table.cells.keys()
        assert not table.splits or table.splits.keys() == table.labels.keys()
        for image, labels in table.labels.items():
            assert image.strip() == image and image.isprintable() and len(set(labels)) == len(labels)
            assert all(label.strip() and label.isprintable() for label in labels)
            assert not {label.lower() for label in labels} & {"none", "nan", "0", "true", "background", "?"}

    cell = text.map(lambda one: f'"{one}"')
    row = st.lists(st.one_of(text, cell), min_size=1, max_size=4)
    header = st.lists(st.sampled_from(HEADERS), min_size=1, max_size=4, unique=True)
    mark = st.sampled_from([",", ";", "\t", "|", ", "])
    end = st.sampled_from(["\n", "\r\n", "\r"])
    tables = st.tuples(header, st.lists(row, max_size=6), mark, end).map(
        lambda parts: parts[3].join(parts[2].join(one) for one in [parts[0], *parts[1]])
    )
    encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    hold(check, st.tuples(st.one_of(tables, st.text(max_size=60)), encodings), count)


def slow_text(rows, form, mark, end):
    """Write a table of images and labels in one of four forms, by hand."""
    classes = sorted({label for _, labels in rows for label in labels})
    lines = []
    if form == "cells":
        lines = [
            ("image", "labels"),
            *((name, "; ".join(labels) + ";" * bool(labels)) for name, labels in rows),
        ]
    elif form == "columns":
        lines = [
            ("image", *classes),
            *((name, *(str(int(one in labels)) for one in classes)) for name, labels in rows),
        ]
    elif form == "objects":
        lines = [("file", "label")]
        for name, labels in rows:
            lines += [(name, label) for label in labels or ("none",)]
    elif form == "lists":
        lines = [("image", "labels"), *((name, repr(list(labels))) for name, labels in rows)]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=mark, lineterminator=end).writerows(lines)
    return file.getvalue()


@counts(300, 8_000)
def test_what_was_written_is_read(tmp_path, count):
    path = tmp_path / "labels.csv"
    labels = st.lists(st.sampled_from(WORDS), max_size=3, unique=True).map(tuple)
    names = st.lists(
        st.sampled_from(["a", "b.png", "c d", "x/y.jpg", "ü", "0", "1.5", "a.b.c"]),
        min_size=1,
        max_size=6,
        unique=True,
    )
    rows = names.flatmap(lambda found: st.tuples(*(st.tuples(st.just(name), labels) for name in found)))
    forms = st.sampled_from(["cells", "columns", "objects", "lists"])
    encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
    read = [0]

    def check(case):
        rows, form, mark, end, encoding = case
        path.write_bytes(slow_text(rows, form, mark, end).encode(encoding))
        try:
            found = read_label_table(path).labels
        except InputError as error:
            several = any(" " in label for _, labels in rows for label in labels)
            none = not any(labels for _, labels in rows)
            assert none or several or form == "columns", str(error)
            return
        read[0] += 1
        assert {name: set(labels) for name, labels in found.items()} == {name: set(its) for name, its in rows}

    hold(
        check,
        st.tuples(rows, forms, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), encodings),
        count,
    )
    assert read[0] > 0.6 * count


def slow_labels(cells):
    """Split cells without brackets at one mark for all, character by character."""
    mark = next((one for one in ";|," if any(one in cell for cell in cells)), None)
    result = []
    for cell in cells:
        names, word = [], ""
        for character in [*cell, None]:
            if character is None or character == mark or (mark is None and character.isspace()):
                names.append(word.strip())
                word = ""
            else:
                word += character
        result.append(tuple(dict.fromkeys(name for name in names if name)))
    return result


@counts(300, 8_000)
def test_cells_are_split_as_a_slow_reading_splits_them(count):
    plain = st.text(st.sampled_from("abcXYZ09 .;|,-é\u00a0\t"), max_size=12)

    def check(cells):
        cells = [cell for cell in cells if not cell.strip().startswith("-")]
        expected = [
            () if names in ((".",),) else names for names in slow_labels([cell.strip() for cell in cells])
        ]
        found = [() if names in ((".",),) else names for names in labels_of_cells(cells)]
        assert found == [() if len(one) == 1 and one[0].lower() in ("na", "-") else one for one in expected]

    hold(check, st.lists(plain, max_size=5), count)


@counts(200, 4_000)
def test_any_cell_is_split(count):
    def check(cells):
        for names in labels_of_cells(cells):
            assert all(isinstance(name, str) and name == name.strip() and name for name in names)

    hold(check, st.lists(text, max_size=4), count)


@counts(200, 4_000)
def test_any_text_is_a_file_of_colours_or_refused(tmp_path, count):
    path = tmp_path / "colours.txt"
    number = st.integers(-1, 300).map(str)
    name = st.sampled_from(["Void", "a b", "car", "", "#x", "7", "name,r,g,b"])
    line = st.one_of(
        st.tuples(number, number, number, name).map("{0[0]} {0[1]} {0[2]}\t{0[3]}".format),
        st.tuples(name, number, number, number).map("{0[0]},{0[1]},{0[2]},{0[3]}".format),
        st.tuples(name, number, number, number).map("{0[0]}:{0[1]},{0[2]},{0[3]}::".format),
        st.text(max_size=10),
    )

    def check(lines):
        path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
        try:
            found = read_colours(path)
        except InputError:
            return
        assert found and len(set(found.values())) == len(found)
        assert all(0 <= value <= 255 for colour in found.values() for value in colour)
        told = [
            line
            for line in "\n".join(lines).splitlines()
            if line.strip() and not line.strip().startswith("#")
        ]
        assert len(told) - len(found) in (0, 1)
        assert np.array(list(found.values())).shape == (len(found), 3)

    hold(check, st.lists(line, max_size=5), count)
