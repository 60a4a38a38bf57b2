"""Wherever it is started, a sweep gives the undisturbed run's numbers, digit by digit, or a reason.

The rows of situations.py one by one are `make faults`; here most of them come at once.
"""

from __future__ import annotations

import os
import re
import signal
import site
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from tests.integration.environments.situations import AT_ONCE, LONG, QUICK_REFUSALS, Situation
from tests.integration.environments.surroundings_of_a_run import FOLDRACE, Ended, Run
from tests.integration.sweep_shell import Found

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
long_only = pytest.mark.skipif(
    not os.environ.get("FOLDRACE_FAULTS"), reason="minutes: `make faults` runs it"
)
_NOTEBOOK = """
import io, sys
words = sys.argv[1:]
sys.stdin, sys.stdout, sys.stderr = None, io.StringIO(), io.StringIO()
from search import cli
sys.exit(cli.main(words))
"""


def _may_mount() -> bool:
    """Whether this process may make namespaces, mounts and a control group of its own."""
    if not os.access("/sys/fs/cgroup/pids", os.W_OK):
        return False
    tried = ["unshare", "-m", "-n", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(tried, check=False).returncode == 0


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> dict[str, Found]:
    run = Run(tmp_path_factory.mktemp("undisturbed"), tiny_encoder, reviews)
    run.shell.run(*run.words)
    table = run.table()
    assert len(table) == 6
    scores = {metrics["accuracy"] for metrics, _, _ in table.values()}
    assert len(scores) > 1, "scores that are all alike would hide a difference"
    return table


@pytest.fixture
def run(tmp_path: Path, tiny_encoder: Path, reviews: Path) -> Iterator[Run]:
    made = Run(tmp_path / "w", tiny_encoder, reviews)
    yield made
    made.end_all()
    for group in Path("/sys/fs/cgroup/pids").glob("foldrace-*"):
        with suppress(OSError):
            group.rmdir()


def come_to(run: Run, row: Situation) -> Ended:
    """Start the standard run in a situation and wait for its end."""

    def filled(text: str) -> str:
        return text.replace("FOLDER", str(run.folder)).replace("SITE", site.getsitepackages()[0])

    row.make(run.folder)
    words = [*run.words, *map(filled, row.words)]
    command = [FOLDRACE, *words]
    if row.command:
        stands = {"PYTHON": [sys.executable], "RUN": words, "NOTEBOOK": [_NOTEBOOK, *words]}
        command = [part for word in row.command for part in stands.get(word, [word])]
    if row.around:
        command = ["sh", "-c", f'{filled(row.around)} "$@"', "sh", *command]
    more = {name: value and filled(value) for name, value in row.more.items()}
    return run.ended(run.start(command, more))


def check(run: Run, row: Situation, undisturbed: dict[str, Found]) -> None:
    ended = come_to(run, row)
    assert ended.code == row.code, ended.err
    assert "Traceback" not in ended.err
    assert re.search(row.says, ended.err), ended.err
    assert ended.left_behind == ()
    if row.code == 0:
        run.shell.folder = run.folder / row.ledger
        assert run.table() == undisturbed


def test_most_disturbances_at_once_change_no_digit(run: Run, undisturbed: dict[str, Found]) -> None:
    check(run, AT_ONCE, undisturbed)


@pytest.mark.parametrize("row", QUICK_REFUSALS, ids=lambda row: row.name)
def test_what_cannot_work_is_refused_before_anything_is_read(row: Situation, run: Run) -> None:
    check(run, row, {})


def test_a_terminal_that_closes_ends_a_sweep_as_ctrl_c_does(
    run: Run, undisturbed: dict[str, Found]
) -> None:
    process = run.start([FOLDRACE, *run.words], {})
    run.wait_for_line(process, "training")
    os.killpg(process.pid, signal.SIGHUP)  # as a terminal does: all that was started in it
    ended = run.ended(process)
    assert ended.code == 130
    assert "Interrupted. What finished is in the ledger" in ended.err
    assert ended.left_behind == ()
    assert [sweep.info.status for sweep in run.shell.runs("sweeps", finished=False)] == ["KILLED"]
    run.shell.run("resume", "standard")
    assert run.table() == undisturbed


@pytest.mark.parametrize("words", [("leaderboard", "latest"), ("report", "latest"), ("ui",)])
def test_what_reads_makes_no_ledger(words: tuple[str, ...], run: Run) -> None:
    _, err = run.shell.run(*words, "--tracking-uri", "sqlite:///typo.db", code=2)
    assert "typo.db" in err
    assert list(run.folder.iterdir()) == []


@long_only
@pytest.mark.parametrize("row", LONG, ids=lambda row: row.name)
def test_a_situation(row: Situation, run: Run, undisturbed: dict[str, Found]) -> None:
    if row.mounts and not _may_mount():
        pytest.skip("wants a namespace of its own")
    check(run, row, undisturbed)


@long_only
def test_hang_ups_are_ignored_where_the_caller_ignores_them(
    run: Run, undisturbed: dict[str, Found]
) -> None:
    process = run.start(["nohup", FOLDRACE, *run.words], {})
    run.wait_for_line(process, "training")
    os.killpg(process.pid, signal.SIGHUP)
    assert run.ended(process).code == 0
    assert run.table() == undisturbed


@long_only
@pytest.mark.parametrize("moment", ["starting Ray", "training"])
def test_a_laptop_that_sleeps_goes_on(moment: str, run: Run, undisturbed: dict[str, Found]) -> None:
    process = run.start([FOLDRACE, *run.words], {})
    run.wait_for_line(process, moment)
    time.sleep(1)
    asleep = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for one in asleep:
        one.suspend()
    time.sleep(40)
    for one in reversed(asleep):
        if one.is_running():
            one.resume()
    ended = run.ended(process)
    assert ended.code == 0, ended.err
    assert ended.left_behind == ()
    assert run.table() == undisturbed


@long_only
def test_a_killed_driver_leaves_nothing_behind(run: Run, undisturbed: dict[str, Found]) -> None:
    process = run.start([FOLDRACE, *run.words], {})
    run.wait_for_line(process, "training")
    process.kill()
    assert run.ended(process).left_behind == ()
    run.shell.run("resume", "standard")
    assert run.table() == undisturbed


@long_only
def test_two_processes_share_a_new_ledger(run: Run, undisturbed: dict[str, Found]) -> None:
    both = [run.start([FOLDRACE, *run.words[:-1], name], {}) for name in ("one", "two")]
    assert [run.ended(process).code for process in both] == [0, 0]
    # Both may have trained a cell at once: who reads next keeps the first.
    assert (
        run.shell.json("leaderboard", "one")["configs"]
        == run.shell.json("leaderboard", "two")["configs"]
    )
    assert run.table() == undisturbed


@long_only
def test_a_clock_an_hour_behind_the_ledgers(run: Run, undisturbed: dict[str, Found]) -> None:
    run.shell.run(*run.words[:-1], "first", "--max-cells", "2")
    with closing(sqlite3.connect(run.folder / "mlflow.db")) as database, database:
        for column in ("start_time", "end_time"):
            database.execute(f"UPDATE runs SET {column} = {column} + 3600000")
    later = time.time() + 3600
    for path in run.folder.rglob("*"):
        os.utime(path, (later, later))
    ended = run.ended(run.start([FOLDRACE, *run.words], {}))
    assert ended.code == 0, ended.err
    assert "2 of the sweep's cells are in the ledger already" in ended.err
    assert run.table() == undisturbed


@long_only
def test_a_database_browser_with_an_edit_that_is_not_saved_is_waited_for(
    run: Run, undisturbed: dict[str, Found], empty_database: bytes
) -> None:
    (run.folder / "mlflow.db").write_bytes(empty_database)
    with closing(sqlite3.connect(run.folder / "mlflow.db", isolation_level=None)) as browser:
        browser.execute("SELECT count(*) FROM runs").fetchall()
        process = run.start([FOLDRACE, *run.words], {})
        run.wait_for_line(process, "training")
        browser.execute("BEGIN IMMEDIATE")
        time.sleep(8)
        browser.execute("ROLLBACK")
        ended = run.ended(process)
    assert ended.code == 0, ended.err
    assert run.table() == undisturbed


@long_only
def test_a_database_browser_that_holds_the_ledger_from_the_start_is_named(
    run: Run, empty_database: bytes
) -> None:
    (run.folder / "mlflow.db").write_bytes(empty_database)
    with closing(sqlite3.connect(run.folder / "mlflow.db", isolation_level=None)) as browser:
        browser.execute("BEGIN")
        browser.execute("SELECT count(*) FROM runs").fetchall()
        ended = run.ended(run.start([FOLDRACE, *run.words], {}))
    assert ended.code in (1, 2)
    assert "is locked: another program has it open" in ended.err
    assert "Traceback" not in ended.err


@long_only
def test_a_ray_of_the_callers_own_trains_with_the_callers_code(
    run: Run, undisturbed: dict[str, Found]
) -> None:
    AT_ONCE.make(run.folder)
    text = f"import sys, ray, search\nray.init(num_cpus=1)\nsys.argv[1:] = {run.words!r}\n"
    text += "from search import cli\nsys.exit(cli.main(sys.argv[1:]))"
    assert run.ended(run.start([sys.executable, "-I", "-c", text], {})).code == 0
    assert run.table() == undisturbed
