"""`--json` is one document on stdout, for every command that has it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from search import cli
from tests.terminal.terminal import Ended

pytestmark = pytest.mark.integration

# `submit status --json` needs a cluster: tests/integration/cluster/test_submit.py reads it.
_ELSEWHERE = {"submit"}


def _with_json() -> set[str]:
    """The commands whose options include --json, from the parser itself."""
    parser = cli.build_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {
        name
        for name, command in commands.choices.items()
        if "--json" in command._option_string_actions
    }


def _words(command: str, sweep: tuple[str, ...], reviews: Path) -> list[str]:
    data = ["--data", str(reviews)]
    words: dict[str, list[str]] = {
        "run": list(sweep),
        "plan": list(sweep),
        "predict": ["latest", *data],
        "compare": ["latest", "latest:baseline"],
        "explain": ["latest", "--words", "3"],
        "export": ["latest", "--out", "table.parquet"],
        "bench-strategies": [
            "table.parquet",
            "--replays",
            "2",
            "--shares",
            "0.5",
            "--protocol-seeds",
            "1",
        ],
        "spaces": [],
        "data": [],
        "models": [],
        "doctor": [],
    }
    return words.get(command, ["latest"])


def test_every_document_is_alone_on_stdout(
    trained: tuple[Path, Ended],
    small_sweep: tuple[str, ...],
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(trained[0])
    commands = _with_json() - _ELSEWHERE
    assert {"run", "promote", "predict"} <= commands
    # The table that strategies are replayed on is what `export` writes.
    for command in sorted(commands, key=lambda name: (name == "bench-strategies", name)):
        capfd.readouterr()
        code = cli.main([command, *_words(command, small_sweep, reviews), "--json"])
        out, err = capfd.readouterr()
        # The machine, which others use, too, may have a fault.
        assert code == 0 or (command, code) == ("doctor", 1), f"{command}: {err}"
        try:
            json.loads(out)
        except ValueError as error:
            raise AssertionError(f"{command} wrote more than a document: {out!r}") from error
