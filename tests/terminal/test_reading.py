"""Commands that look at a finished sweep, on terminals of several sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.terminal.conftest import Opener
from tests.terminal.terminal import Ended

pytestmark = pytest.mark.integration

_SCHEDULE = """\
tracking_uri = "sqlite:///mlflow.db"
[[sweep]]
name = "nightly"
cron = "0 2 29 2 *"
run = "smoke --data reviews.csv --text body --label verdict --model minilm"
"""


def _proper(ended: Ended, columns: int, code: int = 0) -> None:
    assert ended.code == code, ended.text
    assert "Traceback" not in ended.text
    assert "[y/N]" not in ended.text, "nothing of foldrace asks"
    assert not ended.cursor_hidden
    assert not any(re.search("\\d\N{HORIZONTAL ELLIPSIS}", line) for line in ended.lines)
    assert all(len(line) <= columns for line in ended.lines)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (20, 10)])
def test_a_leaderboard_fits(
    open_terminal: Opener, trained: tuple[Path, Ended], columns: int, rows: int
) -> None:
    ended = open_terminal(trained[0], columns=columns, rows=rows).run("leaderboard", "latest")
    _proper(ended, columns)
    head = next(number for number, line in enumerate(ended.lines) if " mean" in line)
    foot = next(n for n, line in enumerate(ended.lines) if n > head and not line.strip())
    configs = 5  # k, beta, and the baseline
    assert foot - head - 1 <= 2 * configs or columns == 20
    assert ("95% interval" in ended.lines[head]) == (columns == 120)
    assert ended.line("Stopped because")


def test_a_terminal_without_rows(open_terminal: Opener, trained: tuple[Path, Ended]) -> None:
    terminal = open_terminal(trained[0], columns=80, rows=24)
    terminal.rows = terminal.columns = 0
    ended = terminal.run("leaderboard", "latest")
    assert ended.code == 0, ended.text
    assert ended.line("mean +cells")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_a_plan_says_what_a_sweep_takes(
    open_terminal: Opener,
    small_sweep: tuple[str, ...],
    trained: tuple[Path, Ended],
    columns: int,
    rows: int,
) -> None:
    ended = open_terminal(trained[0], columns=columns, rows=rows).run("plan", *small_sweep)
    _proper(ended, columns)
    assert ended.line("20.*in the ledger")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_a_report_is_written(
    open_terminal: Opener, trained: tuple[Path, Ended], columns: int, rows: int
) -> None:
    terminal = open_terminal(trained[0], columns=columns, rows=rows)
    ended = terminal.run("report", "latest", "--out", "report")
    _proper(ended, columns)
    assert ended.line(r"report/report\.html")
    page = (trained[0] / "report" / "report.html").read_text(encoding="utf-8")
    assert "matters most" not in page or "beta" in page


def test_a_head_on_a_mean_is_promoted_and_predicts_without_a_question(
    open_terminal: Opener, trained: tuple[Path, Ended], reviews: Path
) -> None:
    for columns, rows in ((80, 24), (120, 40)):
        ended = open_terminal(trained[0], columns=columns, rows=rows).run("promote", "latest")
        _proper(ended, columns)
        assert ended.line("alias champion")
        terminal = open_terminal(trained[0], columns=columns, rows=rows)
        ended = terminal.run("predict", "latest", "--data", str(reviews))
        _proper(ended, columns)
        assert ended.line("accuracy")
        assert "Loading weights" not in ended.sent
        assert "instantiate a model" not in ended.sent


def test_a_schedule_with_nothing_due_says_so(open_terminal: Opener, tmp_path: Path) -> None:
    (tmp_path / "sweeps.toml").write_text(_SCHEDULE, encoding="utf-8")
    for columns, rows in ((80, 24), (120, 40)):
        terminal = open_terminal(columns=columns, rows=rows)
        _proper(terminal.run("schedule", "sweeps.toml", "--once"), columns)


def test_a_typo_is_answered_with_the_nearest_name(open_terminal: Opener, reviews: Path) -> None:
    ended = open_terminal().run("run", "smokke", "--data", str(reviews), "--model", "minilm")
    _proper(ended, 80, code=2)
    assert ended.line("smoke")


def test_a_limit_of_nothing_is_refused_and_not_taken_for_none(
    open_terminal: Opener, trained: tuple[Path, Ended]
) -> None:
    ended = open_terminal(trained[0]).run("resume", "latest", "--max-hours", "0")
    _proper(ended, 80, code=2)
    assert ended.line("--max-hours must be above 0, got 0")
