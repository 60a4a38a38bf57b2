"""One whole path through the house: command line, real Ray, real training, real MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration


@pytest.fixture
def shell(tmp_path: Path, tiny_encoder: Path, reviews: Path) -> Shell:
    return Shell(tmp_path, tiny_encoder, reviews)


def test_resume_refuses_data_that_changed(shell: Shell, tmp_path: Path, reviews: Path) -> None:
    copy = tmp_path / "mine.csv"
    copy.write_text(reviews.read_text())
    arguments = [str(copy) if part == str(reviews) else part for part in shell.sweep]
    shell.json("run", *arguments, "--name", "mine", "--max-cells", "2")
    copy.write_text(reviews.read_text().replace("good", "nice"))
    _, err = shell.run("resume", "mine", code=2)
    assert "data of sweep 'mine' changed" in err


def test_plan_trains_nothing_and_says_what_it_would_cost(shell: Shell) -> None:
    document = shell.json("plan", *shell.sweep, "--price-per-hour", "2")
    assert document["cells"] == document["cells_to_train"] == document["configs"] * 4
    assert document["seconds_per_cell"] > 0
    assert document["money"] == pytest.approx(2 * document["slot_hours"])
    assert shell.cell_keys() == []
    nested = shell.json("plan", *shell.sweep, "--nested")
    assert nested["nested_cells"] == nested["nested_cells_to_train"] == 2 * document["cells"]
    assert (document["nested_cells"], nested["cells_to_train"]) == (0, document["cells_to_train"])
