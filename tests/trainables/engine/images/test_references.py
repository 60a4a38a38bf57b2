"""References to images that lead nowhere, or out of the table's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.engine.images.references import inspect_all


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("names", [("loop.png", "loop.png"), ("a.png", "b.png")])
def test_a_loop_of_links_is_a_fault_of_its_row_alone(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    first, second = names
    (folder / first).symlink_to(folder / second)
    if first != second:
        (folder / second).symlink_to(folder / first)
    inspected = inspect_all([first, "none.png"], folder)
    assert inspected.paths.keys() <= {first, "none.png"}
    assert all(inspected.inspections[name].fault for name in (first, "none.png"))
