"""`foldrace run` and `resume` as a person at a terminal sees them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.terminal.conftest import Opener
from tests.terminal.terminal import Ended

pytestmark = pytest.mark.integration

_COLOUR = "\x1b["


def _longer(sweep: tuple[str, ...], epochs: int) -> list[str]:
    """The same sweep with more epochs: there is time to interrupt it."""
    return [f"epochs={epochs}" if word.startswith("epochs=") else word for word in sweep]


def test_a_run_that_trains_ends_with_its_answer_and_its_leaderboard(
    trained: tuple[Path, Ended],
) -> None:
    ended = trained[1]
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    assert not ended.cursor_hidden
    answer = ended.lines.index(ended.line("beta=0.5|No config|Nothing"))
    assert answer < ended.lines.index(ended.line("mean +cells"))
    assert ended.line("Stopped because every cell is there")
    assert ended.line(r"20 cells trained, 0 taken from the ledger")


def test_ray_keeps_off_the_screen(trained: tuple[Path, Ended]) -> None:
    assert "Number of trials" not in trained[1].sent
    assert "View detailed results" not in trained[1].sent


def test_a_run_is_interrupted_once_and_resumed_in_another_window(
    open_terminal: Opener, small_sweep: tuple[str, ...]
) -> None:
    terminal = open_terminal()
    terminal.start("run", *_longer(small_sweep, 15))
    terminal.wait_for("cells/min")
    terminal.resize(60, 20)
    terminal.wait_for(r"[1-9]\d* of \d+ cells")
    terminal.interrupt()
    ended = terminal.end()
    assert ended.code == 130, ended.text
    assert "Traceback" not in ended.text
    assert ended.line("resume")
    assert not ended.cursor_hidden
    wide = open_terminal(columns=120, rows=40)
    ended = wide.run("resume", "latest")
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    assert ended.line(r"cells trained, [1-9]\d* taken from the ledger")


def test_a_second_ctrl_c_ends_it_at_once(
    open_terminal: Opener, small_sweep: tuple[str, ...]
) -> None:
    terminal = open_terminal()
    terminal.start("run", *_longer(small_sweep, 200))
    terminal.wait_for("starting Ray")
    terminal.interrupt()
    terminal.interrupt()
    ended = terminal.end(60)
    assert ended.code == 130, ended.text
    assert "Traceback" not in ended.text
    assert ended.line("resume")


@pytest.mark.parametrize(
    ("variables", "absent"),
    [({"TERM": "dumb"}, _COLOUR), ({"NO_COLOR": "1", "LANG": "C", "LC_ALL": "C"}, "\x1b[3")],
)
def test_terminals_that_can_do_less_get_less(
    open_terminal: Opener,
    small_sweep: tuple[str, ...],
    trained: tuple[Path, Ended],
    variables: dict[str, str],
    absent: str,
) -> None:
    # All cells are in the ledger: what is drawn is the same, and nothing is trained.
    ended = open_terminal(trained[0], variables=variables).run("run", *small_sweep)
    assert ended.code == 0, ended.text
    assert absent not in ended.sent
    assert ended.line("20 taken from the ledger")
    assert ended.line("cross-entropy")


def test_stdout_in_a_file_and_stderr_on_the_terminal(
    open_terminal: Opener, small_sweep: tuple[str, ...], trained: tuple[Path, Ended]
) -> None:
    ended = open_terminal(trained[0]).run("run", *small_sweep, shell="> out.txt")
    written = (trained[0] / "out.txt").read_text()
    assert ended.code == 0, ended.text
    assert "mean" in written
    assert "\x1b" not in written
    assert ended.line("20 taken from the ledger")
    assert not any(re.search("mean .*cells", line) for line in ended.lines)


def test_stderr_in_a_file_and_stdout_on_the_terminal(
    open_terminal: Opener, small_sweep: tuple[str, ...], trained: tuple[Path, Ended]
) -> None:
    ended = open_terminal(trained[0]).run("run", *small_sweep, shell="2> err.txt")
    written = (trained[0] / "err.txt").read_text()
    assert ended.code == 0, ended.text
    assert ended.line("mean +cells")
    assert "\x1b" not in written
    assert "20 taken from the ledger" in written


@pytest.mark.parametrize(
    ("shell", "code", "says"),
    # A reader that is gone before the answer; of `head -1` it depends on who is faster.
    [("| true", 1, ""), ("> /dev/full", 1, "No space left on device")],
)
def test_an_answer_that_nobody_can_read_ends_clearly(
    open_terminal: Opener,
    small_sweep: tuple[str, ...],
    trained: tuple[Path, Ended],
    shell: str,
    code: int,
    says: str,
) -> None:
    ended = open_terminal(trained[0]).run("run", *small_sweep, shell=shell)
    assert ended.code == code, ended.text
    assert "Traceback" not in ended.text
    assert "Exception ignored" not in ended.text
    assert says in ended.text
