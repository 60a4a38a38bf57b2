"""A faulty command line: the error first, what was meant, the usage last and in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from search import cli
from search.commands import listing
from search.completion import sweeps

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUN = ("run", "softtriple", "--data", "d", "--model", "m")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    return shown.err.splitlines()


@pytest.mark.parametrize("command", [name for name in listing() if name != "submit"])
def test_the_error_comes_first_and_the_usage_after_it_in_one_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(capsys, command, "--no-such-option")
    assert lines[0].startswith(f"foldrace {command}: error: ")
    assert lines[-1].startswith(f"usage: foldrace {command} ")
    assert lines[-1].endswith(f"; foldrace {command} --help")
    assert sum(line.startswith("usage") for line in lines) == 1


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((*RUN, "--lr", "1e-3"), "--fix learning_rate=1e-3"),
        ((*RUN, "--epochs=3"), "--fix epochs=3"),
        ((*RUN, "--batch-size", "8"), "--fix batch_size=8"),
        ((*RUN, "--lable", "x"), "did you mean --label?"),
        ((*RUN, "--strategy", "rase"), "did you mean 'race'?"),
        (("leaderbord", "latest"), "did you mean 'leaderboard'?"),
        (("leaderboard", "latest", "--trials", "2"), "--trials is an option of: plan, run"),
        (("resume", "mine", "--set", "k=10,100"), "type its `foldrace run` again"),
    ],
)
def test_what_was_meant_is_said(
    words: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hint in "\n".join(said(capsys, *words))


def test_all_unknown_words_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, *RUN, "--lr", "1", "--epochs", "2", "--lable", "x")
    assert len(lines) == 5


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"foldrace {PROJECT['version']}\n"


def offered(line: str, folder: Path) -> list[str]:
    """What a TAB at the end of a line offers, asked as the shell's own script asks."""
    file = folder / "offered"
    done = subprocess.run(
        [sys.executable, "-m", "search.cli"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(file),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [word.strip() for word in file.read_text().split("\n")]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("foldrace lead", "leaderboard"),
        ("foldrace run soft", "softtriple"),
        ("foldrace run softtriple --data trec", "trec"),
        ("foldrace run softtriple --model mini", "minilm"),
        ("foldrace run softtriple --fix learn", "learning_rate="),
        ("foldrace run softtriple --strategy ra", "race"),
        ("foldrace leaderboard lat", "latest"),
    ],
)
def test_a_tab_offers_what_may_stand_there(line: str, word: str, tmp_path: Path) -> None:
    assert word in offered(line, tmp_path)


def test_a_tab_makes_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sweeps(None) == ["latest"]
    assert list(tmp_path.iterdir()) == []


def test_a_shell_reads_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    done = subprocess.run(
        ["/bin/bash", "-c", f"{script}\ncomplete -p foldrace"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_python_argcomplete" in done.stdout, done.stderr
