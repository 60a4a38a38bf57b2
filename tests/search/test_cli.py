"""What the command line says of bad input: before anything is trained, by name, with a way out."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from search import cli
from search.commands import listing
from search.ledger.ledger import Ledger

ROOT = Path(__file__).parents[2]
COMMANDS = tuple(listing())


@pytest.fixture
def sweep(
    tmp_path: Path,
    tiny_encoder: Path,
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Runs `foldrace run smoke` with some options replaced; gives exit code and stderr."""
    monkeypatch.chdir(tmp_path)

    def go(*extra: str, space: str = "smoke", **options: str | None) -> tuple[int, str]:
        chosen: dict[str, str | None] = {
            "data": str(reviews),
            "text": "body",
            "label": "verdict",
            "model": str(tiny_encoder),
            "folds": "2",
            "seeds": "2",
            **options,
        }
        flags = [
            part
            for name, value in chosen.items()
            if value is not None
            for part in (f"--{name.replace('_', '-')}", value)
        ]
        try:
            code = cli.main(["run", space, *flags, *extra])
        except SystemExit as usage:
            code = int(str(usage.code))
        return code, capsys.readouterr().err

    return go


def _file(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "header only": ("body,verdict\n", "no rows"),
    "one class": ("body,verdict\n" + "a b,x\n" * 3 + "c d,x\n", "class"),
    "class too small": (
        "body,verdict\n" + "".join(f"word {i},x\n" for i in range(9)) + "lonely,y\n",
        "'y'",
    ),
    "missing labels": (
        "body,verdict\n" + "".join(f"word {i},{'xy'[i % 2]}\n" for i in range(9)) + "blank,\n",
        "--drop-missing",
    ),
    "not UTF-8": (b"body,verdict\ncaf\xe9,x\nb,y\n", "UTF-8"),
    "text is numbers": (
        "body,verdict\n" + "".join(f"{i}.5,{'xy'[i % 2]}\n" for i in range(9)),
        "text",
    ),
    "mixed labels": (
        "body,verdict\n" + "".join(f"word {i},{'1' if i % 2 else 'pos'}\n" for i in range(9)),
        "mixed",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named_before_training(
    name: str, sweep: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    content, wanted = BAD_FILES[name]
    code, err = sweep(data=_file(tmp_path, "mine.csv", content))
    assert code == 2, err
    assert wanted in err


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"data": "nowhere.csv"}, "nowhere.csv"),
        ({"text": "bdy"}, "body"),
        ({"label": "verdikt"}, "verdict"),
        ({"text_b": "second"}, "second"),
        ({"space": "softriple"}, "Did you mean 'softtriple'"),
        ({"model": "./nowhere"}, "./nowhere"),
        ({"set": "k=two"}, "2, 10"),  # k=3 is off the paper's grid, and taken
        ({"set": "k=3,0"}, "k at least 1, got 0"),
        ({"set": "epochs=1,0"}, "epochs at least 1, got 0"),
        ({"set": "trainable_blocks=all,1"}, "trainable_blocks a whole number or none, got 'all'"),
        ({"set": "learning_rate=1e-6..1e-3:log", "strategy": "grid"}, "race or random or tpe"),
        ({"set": "kk=3"}, "'k'"),
        ({"set": "k"}, "NAME=VALUE"),
        ({"fix": "learning_rat=1"}, "learning_rate"),
        ({"fix": "learning_rate=fast"}, "learning_rate"),
        ({"fix": "learning_rate=-1"}, "learning_rate above 0"),
        ({"folds": "1"}, "folds"),
        ({"seeds": "2,2"}, "distinct"),
        ({"seeds": "two"}, "whole numbers"),
        ({"folds": None, "holdout": "1.5"}, "holdout"),
        ({"folds": None, "holdout": "official"}, "official"),
        ({"max_cells": "0"}, "--max-cells must be at least 1, got 0"),
        ({"max_hours": "0"}, "--max-hours must be above 0, got 0"),
        ({"stack": "none"}, "--stack"),
        ({"subset": "100000"}, "subset"),
        ({"tracking_uri": "http://127.0.0.1:9"}, "127.0.0.1:9"),
        ({"tracking_uri": "sqlite:////nowhere/at/all/mlflow.db"}, "nowhere"),
        ({"tracking_uri": "ftp://here"}, "ftp"),
        ({"name": "a/b"}, "without '/'"),
        ({"configs": "nofile.json"}, "nofile.json"),
        ({"plugin": "nofile.py"}, "nofile.py"),
        ({"strategy": "guess"}, "invalid choice"),
    ],
    ids=lambda value: (
        "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else ""
    ),
)
def test_a_bad_option_is_named_before_training(
    options: dict[str, str | None], wanted: str, sweep: Callable[..., tuple[int, str]]
) -> None:
    code, err = sweep(**options)
    assert code == 2, err
    assert wanted in err
    assert "Traceback" not in err


def test_a_model_folder_without_weights_is_refused(
    sweep: Callable[..., tuple[int, str]], tmp_path: Path, tiny_encoder: Path
) -> None:
    folder = tmp_path / "hollow"
    folder.mkdir()
    (folder / "config.json").write_text((tiny_encoder / "config.json").read_text())
    code, err = sweep(model=str(folder))
    assert (code, "no weights" in err) == (2, True), err


def test_a_full_disk_is_found_before_training(
    sweep: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    full = usage._replace(free=10 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    code, err = sweep()
    assert code == 2
    assert "10 MiB left" in err


def test_an_unknown_sweep_names_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["leaderboard", "latest"]) == 2
    assert "No sweep in sqlite:///mlflow.db (experiment 'foldrace') yet" in capsys.readouterr().err


def test_a_ledger_that_goes_away_while_the_sweep_is_entered_is_said(
    sweep: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mlartifacts").mkdir()

    def start(ledger: Ledger, *given: Any, **how: Any) -> str:
        found = entered(ledger, *given, **how)
        # What it writes next has no place any more.
        shutil.rmtree("mlartifacts")
        Path("mlartifacts").write_text("a file where a folder was")
        return found

    entered = Ledger.start_sweep
    monkeypatch.setattr(Ledger, "start_sweep", start)
    code, err = sweep()
    assert code == 1
    assert "sqlite:///mlflow.db" in err
    assert "Traceback" not in err


def test_every_file_of_the_folder_is_a_command() -> None:
    files = {path.stem for path in (ROOT / "search/commands").glob("[!_]*.py")}
    assert {name.replace("-", "_") for name in COMMANDS} == files
    assert {"run", "resume", "report", "predict"} <= files


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_explained(command: str) -> None:
    parser = argparse.ArgumentParser()
    listing()[command].add_options(parser)
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"foldrace {command}" in capsys.readouterr().out.split("examples:")[1]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom search.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'mlflow', 'pandas', 'numpy', 'optuna', 'pydantic', 'rich',"
        " 'argcomplete'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["spaces", "data", "models"])
def test_listings_are_json_too(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) > 1
    assert all(row["name"] for row in rows)
    assert cli.main([command]) == 0
    assert rows[0]["name"] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "name", "licence"),
    [("data", "empathetic_dialogues", "CC BY-NC 4.0"), ("models", "roberta-base", "MIT")],
)
def test_listings_name_every_licence(
    command: str, name: str, licence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--json"]) == 0
    rows = {row["name"]: row["licence"] for row in json.loads(capsys.readouterr().out)}
    assert rows[name] == licence
    assert all(rows.values())


def test_the_softtriple_space_is_listed_with_its_4900_points(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main(["spaces", "--json"])
    spaces = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert spaces["softtriple"]["configs"] == 4900
    assert spaces["softtriple"]["references"]["cross-entropy"] == {"beta": 1.0}


def test_strategies_are_replayed_on_a_table_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    rows = [
        {"a": a, "b": b, "seed": seed, "fold": fold, "score": 0.7 + 0.01 * a + draw.normal(0, 0.01)}
        for a in range(5)
        for b in range(4)
        for seed in range(8)
        for fold in range(5)
    ]
    path = tmp_path / "toy.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    flags = ["--strategies", "race,random", "--shares", "0.2", "--replays", "3"]
    assert cli.main(["bench-strategies", str(path), *flags, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["configs"], document["blocks"]) == (20, 20)
    assert set(document["strategies"]) == {"exhaustive", "race", "random"}
    race = document["strategies"]["race"]
    assert race["replays"] == 3
    assert race["cells_share"] <= 0.2
    figure = tmp_path / "regret.png"
    assert (
        cli.main(["bench-strategies", str(path), str(path), *flags, "--figure", str(figure)]) == 0
    )
    assert capsys.readouterr().out.count("race") == 2
    assert figure.stat().st_size > 10_000


def test_a_table_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench-strategies", "nowhere.parquet"]) == 2
    assert "nowhere.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--strategies", "race,rase"], "No strategy named 'rase'. Known: race, grid"),
        (["--shares", "0,2"], "--shares must lie in (0, 1]"),
        (["--shares", "few"], "--shares wants numbers with commas, got 'few'"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--figure", "regret.doc"], "--figure must end in .png or .svg or .pdf, got 'regret.doc'"),
    ],
)
def test_a_benchmark_that_cannot_be_run_is_refused_before_it_starts(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.parquet"
    path.touch()
    assert cli.main(["bench-strategies", str(path), *flags]) == 2
    assert message in capsys.readouterr().err


def test_peers_can_be_replayed_but_not_run() -> None:
    parser = cli.build_parser()
    parser.parse_args(["bench-strategies", "t.parquet", "--strategies", "forgiving,tpe-wilcoxon"])
    with pytest.raises(SystemExit):
        parser.parse_args(["run", "smoke", "--data", "d", "--model", "m", "--strategy", "pooled"])


def test_a_leaderboard_without_rows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["leaderboard", "latest", "--top", "0"]) == 2
    assert "--top must be at least 1, got 0" in capsys.readouterr().err
