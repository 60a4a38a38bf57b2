"""A notebook of ten cells, run by a real Jupyter kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [
    pytest.mark.integration,
    # Of jupyter_client and zmq, which start and end the kernel.
    pytest.mark.filterwarnings("ignore"),
]
NOTEBOOK = Path(__file__).with_name("first_sweep.ipynb")
ROOT = Path(__file__).parents[3]


def shown(cell: Any, kind: str) -> str:
    """All outputs of a cell in one form."""
    data = [output.data for output in cell.outputs if "data" in output]
    return "\n".join(part[kind] for part in data if kind in part)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The notebook's cells after they have run, in a folder of their own."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        client = NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    return list(notebook.cells)


def test_ten_cells_run_from_the_frame_to_the_prediction(cells: list[Any]) -> None:
    assert len(cells) == 10
    assert [cell.execution_count for cell in cells] == list(range(1, 11))
    assert shown(cells[3], "text/plain") == "4"


def test_the_progress_is_shown_below_its_cell_and_replaced(cells: list[Any]) -> None:
    (progress,) = [output for output in cells[4].outputs if "data" in output]
    page = progress.data["text/html"]
    assert "foldrace-progress" in page
    assert 'value="12" max="12"' in page
    assert "first: ended" in page


def test_a_result_shows_itself_as_a_table(cells: list[Any]) -> None:
    page = shown(cells[5], "text/html")
    assert page.count("<tr>") == 1 + 4
    assert "C=10 ngrams=1" in page
    assert "accuracy in points" in page


def test_the_leaderboard_is_a_frame_and_a_figure_is_drawn(cells: list[Any]) -> None:
    assert "ngrams" in shown(cells[6], "text/html")
    assert len(shown(cells[7], "image/png")) > 1000


def test_new_texts_are_scored_and_configs_compared(cells: list[Any]) -> None:
    assert "praise" in shown(cells[8], "text/plain")
    assert "paired over 3 shared cells" in shown(cells[9], "text/html")
