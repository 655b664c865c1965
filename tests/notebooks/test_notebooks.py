"""The notebooks run, from the first cell to the last, on a few small images."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

SMALL = (
    "--dataset.options.train_images 24 --dataset.options.val_images 8 --dataset.options.size 64 "
    "--classify.epochs 1 --classify.batch_size 8 --classify.crop 64 --classify.long_side [64,72] "
    "--segment.epochs 1 --segment.batch_size 8 --segment.crop 64 --segment.long_side [64,72] "
    "--evaluate.oracle_levels [0.2] --label.workers 1"
)


@pytest.mark.filterwarnings("ignore:Proactor")
@pytest.mark.parametrize("name", ["first_hour"])
def test_notebook_runs(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FIRST_HOUR_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("FIRST_HOUR_OPTIONS", SMALL)
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=400, resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()
    assert (tmp_path / "run" / "7_report" / "report.html").exists()
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= 5


@pytest.mark.parametrize("name", ["first_hour"])
def test_notebook_is_stored_with_its_pictures(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert any("image/png" in o.get("data", {}) for cell in code for o in cell.outputs)
