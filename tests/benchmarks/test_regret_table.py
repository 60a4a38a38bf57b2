"""The long benchmark goes on where it was killed, and plays anew what has changed."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import regret_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "toy.parquet", seed=0)


def write(path: Path, seed: int) -> Path:
    draw = np.random.default_rng(seed)
    cells = [
        {"a": a, "seed": s, "fold": fold, "score": 0.01 * a + draw.normal(0, 0.01)}
        for a, s, fold in itertools.product(range(12), range(6), range(2))
    ]
    pq.write_table(pa.Table.from_pylist(cells), path)
    return path


@pytest.fixture
def run(table, monkeypatch, capsys):
    played = []
    bout = regret_table.bout

    def counted(board, name, share, *rest):
        played.append((name, share))
        return bout(board, name, share, *rest)

    monkeypatch.setattr(regret_table, "bout", counted)
    monkeypatch.setattr(regret_table.os, "nice", lambda _: 0)

    def go(*flags: str) -> tuple[list[tuple[str, float]], str]:
        played.clear()
        out = table.with_suffix(".jsonl")
        flags = ("--tables", str(table), "--out", str(out), "--replays", "2", *flags)
        assert regret_table.main(flags) == 0
        return list(played), capsys.readouterr().out

    return go


FLAGS = ("--strategies", "random,halving", "--shares", "0.2,0.5")
ALL = [("exhaustive", 1.0), *itertools.product(("random", "halving"), (0.2, 0.5))]


def test_what_is_done_is_not_played_again(run):
    first, shown = run(*FLAGS)
    assert first == ALL
    again, shown_again = run(*FLAGS)
    assert again == []
    assert shown_again == shown
    assert "| random |" in shown
    more, _ = run("--strategies", "random,halving,pooled", "--shares", "0.2,0.5")
    assert more == [("pooled", 0.2), ("pooled", 0.5)]


def test_a_line_cut_off_by_a_kill_is_played_again(run, table):
    run(*FLAGS)
    out = table.with_suffix(".jsonl")
    out.write_text(out.read_text()[:-40])
    assert run(*FLAGS)[0] == ALL[-1:]
    assert run(*FLAGS)[0] == []


def test_a_changed_table_is_played_anew(run, table):
    run(*FLAGS)
    write(table, seed=1)
    assert run(*FLAGS)[0] == ALL


def test_showing_plays_nothing(run):
    assert run(*FLAGS, "--show")[0] == []


def test_a_replay_that_names_no_config_stays_in_the_file_and_shows_as_a_dash(run):
    _, shown = run("--strategies", "random", "--shares", "0.02")
    assert "| random | - [-, -] (-) |" in shown
