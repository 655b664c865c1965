"""The README's table of layouts: a tiny tree in the exact form of each row is read by the very command of the row."""

import re
import shlex
from pathlib import Path

import pytest
from examples import dataset_trees
from small_run.in_process import run_quietly

README = Path(__file__).parents[2] / "README.md"
ROWS = re.findall(r"^\| (.+) \| `(wsseg datasets check .+)` \|$", README.read_text(), re.MULTILINE)
SPECIAL = {"VOC2012": "voc", "PHOTOS": "folder"}


def words_of(command):
    """Return the words after `wsseg`, as a shell would; an option's value may hold a space."""
    words = shlex.split(re.sub(r"(\S+=\{[^}]*\})(?= |$)", r"'\1'", command))
    return words[1:]


def test_the_table_is_there():
    assert len(ROWS) == 21 and len({command for _, command in ROWS}) == len(ROWS)


@pytest.mark.parametrize("command", [command for _, command in ROWS])
def test_each_command_reads_a_tree_in_its_form(tmp_path, command):
    words = words_of(command)
    root = tmp_path / words[2]
    getattr(dataset_trees, SPECIAL.get(words[2], words[2].lower()))(root)
    status, said = run_quietly(*words[:2], root, *words[3:])
    assert status == 0, said
    found = re.findall(r"^(train|val): (\d) images?, (\d) with masks", said, re.MULTILINE)
    if words[2] == "VOC_XML":  # the splits are drawn
        assert [name for name, _, _ in found] == ["train", "val"] and sum(
            int(count) for _, count, _ in found
        ) == 3
        return
    masks = words[2] not in ("CLASS_FOLDERS", "LABEL_IMG")
    count = "2" if words[2] == "CLASS_FOLDERS" else "1"
    assert found == [("train", "2", "2" if masks else "0"), ("val", count, "1" if masks else "0")]
