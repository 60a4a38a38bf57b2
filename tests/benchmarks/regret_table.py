"""The regret table of the race's page: every peer on every shipped table, each in its own time.

    python tests/benchmarks/regret_table.py --jobs 2    plays what is missing, then shows
    python tests/benchmarks/regret_table.py --show      shows what there is, plays nothing

Each (table, strategy, share) becomes one line of a JSON lines file as soon as it is done, with all
its regrets, so it may be killed at any moment and goes on where it was. A line counts as done for
the same table contents, the same rules and the same code of the strategies; others are played anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from search.benchmark.regret import summary
from search.benchmark.replay import (
    EXHAUSTIVE,
    Player,
    Rules,
    exhaustive_regrets,
    named_player,
    replay_all,
)
from search.benchmark.score_table import ScoreTable, read_table
from search.strategies.named import PEERS, STRATEGIES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TABLES = HERE / "tables"
SHARES = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
# SMAC refits its forest every 8 configs: beyond this share a replay takes minutes.
SMAC_MOST = 0.1
# Peers of the goal 'at most half the regret of the best of these at equal cells'.
RIVALS = ("tpe-wilcoxon", "halving", "smac")
# Grid is exhaustive search that stops early, so it says nothing here. Dear ones last.
NAMES = (*(name for name in STRATEGIES if name != "grid"), *PEERS, "smac")


def player(name: str) -> Player:
    """A strategy or peer by its name; SMAC takes seconds to import, so only when it plays."""
    if name != "smac":
        return named_player(name)
    from peers.smac import smac

    return smac


def code_of(name: str) -> str:
    """Fingerprint of the files that decide what a strategy does."""
    own = [HERE / "peers" / "smac.py"] if name == "smac" else []
    files = own or sorted((ROOT / "search/strategies").rglob("*.py"))
    return _fingerprint(*(path.read_bytes() for path in files))


def _fingerprint(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def key(path: Path, name: str, share: float, replays: int, rules: Rules) -> dict[str, Any]:
    """What a line must say to count as done."""
    return {
        "table": path.stem,
        "contents": _fingerprint(path.read_bytes()),
        "strategy": name,
        "code": code_of(name),
        "share": share,
        "replays": replays,
        "rules": asdict(rules),
    }


def read_lines(out: Path) -> list[dict[str, Any]]:
    """The lines of the file; one cut off by a kill is left out."""
    lines = []
    for line in out.read_text(encoding="utf-8").splitlines() if out.is_file() else ():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


def append(out: Path, line: Mapping[str, Any]) -> None:
    """Add a line; after one that a kill cut off, on a line of its own."""
    with out.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        start = b"" if file.read(1) in (b"", b"\n") else b"\n"
        file.write(start + json.dumps(line, allow_nan=False).encode() + b"\n")


def find(lines: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The latest line that says what is wanted; None without one."""
    for line in reversed(lines):
        if all(line.get(name) == value for name, value in wanted.items()):
            return dict(line)
    return None


def bout(
    table: ScoreTable, name: str, share: float, replays: int, rules: Rules, jobs: int = 1
) -> dict[str, Any]:
    """One strategy at one budget on one table: cells used, regrets, seconds of each replay."""
    if name == EXHAUSTIVE:
        regrets = exhaustive_regrets(table, rules, replays)
        return {"used": 1.0, "regrets": regrets.tolist(), "seconds": 0.0}
    began = time.perf_counter()
    tasks = [(player(name), share, number) for number in range(replays)]
    played = list(replay_all(table, rules, tasks, jobs))
    cells = table.problem.configs * rules.deal(table, 0).problem.blocks
    return {
        "used": float(np.mean([one.cells for one in played])) / cells,
        # No config named is null: JSON has no nan.
        "regrets": [None if np.isnan(one.regret) else one.regret for one in played],
        "seconds": (time.perf_counter() - began) / replays,
    }


def plan(names: Sequence[str], shares: Sequence[float]) -> Iterator[tuple[str, float]]:
    """What is played on each table, the cheap first."""
    yield EXHAUSTIVE, 1.0
    for name in names:
        for share in shares:
            if name != "smac" or share <= SMAC_MOST:
                yield name, share


def show(path: Path, found: Sequence[Mapping[str, Any]]) -> str:
    """One table's results in Markdown: a row a strategy, a column a share, and the rivals' best."""
    table = read_table(path)
    shares = sorted({line["share"] for line in found if line["strategy"] != EXHAUSTIVE})
    results = {(line["strategy"], line["share"]): line for line in found}
    text = [
        f"### {path.stem}: {table.problem.configs:,} configs, "
        f"{max((line['replays'] for line in found), default=0)} replays",
        "Median regret in points [its 95% interval], (mean), cells where a strategy used fewer.",
        "",
        "| strategy | " + " | ".join(f"{100 * share:g}%" for share in shares) + " |",
        "|---|" + "--:|" * len(shares),
    ]
    own = results.get((EXHAUSTIVE, 1.0))
    if own is not None:
        text.insert(2, f"Exhaustive search's own: {_cell(own)}.")
    for name in dict.fromkeys(line["strategy"] for line in found):
        if name != EXHAUSTIVE:
            cells = [_cell(results.get((name, share))) for share in shares]
            text.append(f"| {name} | " + " | ".join(cells) + " |")
    ratios = []
    for share in shares:
        rivals = [_median(results.get((name, share))) for name in RIVALS]
        best = min((rival for rival in rivals if rival is not None), default=None)
        race = _median(results.get(("race", share)))
        ratios.append("-" if race is None or not best else f"{race / best:.2f}")
    text.append("| *race / best of " + ", ".join(RIVALS) + "* | " + " | ".join(ratios) + " |")
    return "\n".join(text) + "\n"


def _figures(line: Mapping[str, Any]) -> dict[str, Any]:
    regrets = np.array([np.nan if value is None else value for value in line["regrets"]])
    return summary([(line["used"], regrets)])


def _median(line: Mapping[str, Any] | None) -> float | None:
    return None if line is None else _figures(line)["regret"]


def _cell(line: Mapping[str, Any] | None) -> str:
    if line is None:
        return ""
    of = _figures(line)
    names = ("regret", "regret_low", "regret_high", "regret_mean")
    median, low, high, mean = ("-" if of[k] is None else f"{100 * of[k]:.2f}" for k in names)
    used = f", {100 * line['used']:.1f}%" if line["used"] < 0.95 * line["share"] else ""
    return f"{median} [{low}, {high}] ({mean}){used}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--tables", type=Path, nargs="+", default=sorted(TABLES.glob("*.parquet")))
    parser.add_argument("--out", type=Path, default=HERE / "regret.jsonl")
    parser.add_argument("--strategies", default=",".join(NAMES))
    parser.add_argument("--shares", default=",".join(map(str, SHARES)))
    parser.add_argument("--replays", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="play nothing")
    options = parser.parse_args(arguments)
    if not options.tables:
        parser.error(f"no tables in {TABLES.relative_to(ROOT)}; name some with --tables")
    names = options.strategies.split(",")
    if unknown := sorted(set(names) - {*NAMES, "grid"}):
        parser.error(f"unknown strategies {unknown}; known: {', '.join(NAMES)}")
    shares = sorted(float(share) for share in options.shares.split(","))
    rules, lines = Rules(), read_lines(options.out)
    if not options.show:
        os.nice(10)
    for path in options.tables:
        table, found = read_table(path), []
        for name, share in plan(names, shares):
            wanted = key(path, name, share, options.replays, rules)
            line = find(lines, wanted)
            if line is None and not options.show:
                line = wanted | bout(table, name, share, options.replays, rules, options.jobs)
                append(options.out, line)
                took = f"{line['seconds']:.2f} s a replay"
                sys.stderr.write(f"{path.stem} {name} {share:g}: {_cell(line)}, {took}\n")
            if line is not None:
                found.append(line)
        sys.stdout.write(show(path, found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
