import numpy as np
import pytest
from PIL import Image

from wsseg.annotations.box_table import boxes_of, read_box_table
from wsseg.annotations.mark_files import read_marks
from wsseg.artifacts import write_mask
from wsseg.errors import InputError

HEADER = "image,label,left,top,right,bottom\n"


@pytest.fixture
def table(tmp_path):
    def write(text, header=HEADER):
        path = tmp_path / "boxes.csv"
        path.write_text(header + text)
        return path

    return write


def test_boxes_of_a_table(table):
    path = table("my cat.jpg,cat,1,2,3.5,4\nb/dog.png, dog ,-5,0,99,7\nmy cat,dog,0,0,1,1\n\n")
    found = read_box_table(path, ("cat", "dog"))
    assert found == {"my cat": [(1, 1, 2, 3.5, 4), (2, 0, 0, 1, 1)], "dog": [(2, -5, 0, 99, 7)]}
    boxes = boxes_of(found, "dog", (6, 8))
    assert boxes.class_ids.tolist() == [2] and boxes.boxes_xyxy.tolist() == [[0, 0, 8, 6]]
    assert boxes_of(found, "cow", (6, 8)) is None
    with pytest.raises(InputError, match=r"image `my cat` \(1 x 2\): the box .* lies outside of the image"):
        boxes_of(found, "my cat", (2, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,cta,0,0,1,1\n", "boxes.csv, line 2: unknown label `cta`; did you mean `cat`"),
        ("a.jpg,cat,0,0,1,1\n,cat,0,0,1,1\n", "line 3: no image name"),
        ("a.jpg,cat,2,0,1,1\n", "line 2: left, top, right, bottom must be numbers .* got 2, 0, 1, 1"),
        ("a.jpg,cat,0,0,1,nan\n", "line 2: left, top, right, bottom must be numbers"),
        ("a.jpg,cat,0,0,inf,1\n", "line 2: left, top, right, bottom must be numbers"),
        ("a.jpg,cat,0,0,1\n", "line 2: left, top, right, bottom must be numbers"),
        ("", "holds no box"),
    ],
)
def test_bad_rows(table, text, message):
    with pytest.raises(InputError, match=message):
        read_box_table(table(text), ("cat", "dog"))


def test_bad_tables(table, tmp_path):
    with pytest.raises(InputError, match=r"must begin with the header line .* got `image,label,x,y,w,h`"):
        read_box_table(table("", "image,label,x,y,w,h\n"), ("cat",))
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        read_box_table(tmp_path / "none.csv", ("cat",))
    with pytest.raises(InputError, match="cannot be read as a UTF-8 CSV"):
        read_box_table(tmp_path, ("cat",))


def test_marks(tmp_path):
    path = tmp_path / "a.png"
    marks = np.array([[0, 2, 255], [255, 255, 1]], np.uint8)
    write_mask(path, marks)
    assert np.array_equal(read_marks(path, 2, (2, 3)), marks)
    with pytest.raises(InputError, match=r"marks .*a\.png are 3 x 2 pixels but their image is 2 x 3"):
        read_marks(path, 2, (3, 2))
    with pytest.raises(InputError, match=r"marks .*a\.png hold 2; expected 0 \(background\), 1\.\.1 or 255"):
        read_marks(path, 1, (2, 3))
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(path)
    with pytest.raises(InputError, match="have no unmarked pixel; expected 255 where nothing is drawn"):
        read_marks(path, 2, (2, 3))
    write_mask(path, np.full((2, 3), 255, np.uint8))
    assert (read_marks(path, 2, (2, 3)) == 255).all()
