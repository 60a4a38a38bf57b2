"""`foldrace run` as a person at a terminal sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal import Ended

pytestmark = pytest.mark.integration


def test_a_run_that_trains_ends_with_its_leaderboard(trained: tuple[Path, Ended]) -> None:
    ended = trained[1]
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    assert ended.line("mean")
    assert ended.line("cells trained, 0 taken from the ledger")
    assert not ended.cursor_hidden


def test_ray_keeps_off_the_screen(trained: tuple[Path, Ended]) -> None:
    assert "Number of trials" not in trained[1].sent
    assert "View detailed results" not in trained[1].sent
