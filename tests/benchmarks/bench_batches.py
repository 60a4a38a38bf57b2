"""`make bench`: the race in batches, beside its rivals, on tables that nothing was tuned on.

FOLDRACE_REPLAYS=50 for figures to publish. It prints the rows of the tables on the page of
search/strategies; the score tables are made by make_tables.py. Fixed before any was played: the
shares, the batches, and the rivals. `race` is played in each batch, halving and the Gaussian
process in the middle one, too; the others do not depend on it: they see every score before they ask
again, which no parallel sweep could grant them.

The tables of `judged_later` were made after the race's final was last changed, for one claim, which
was written here before any of them was played: at 5% and at 10% of the cells, in batches of 16 and
of 64, the race's mean regret over these tables is below that of halving in the same batches, and on
no table does the interval of halving less race lie below 0. They are played against nobody else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from regret_table import TABLES, bout
from scipy import special

from search.arrays import FloatArray
from search.benchmark.regret import paired
from search.benchmark.replay import EXHAUSTIVE, Rules
from search.benchmark.score_table import ScoreTable, read_table

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
JUDGED = sorted((TABLES / "judged").glob("*.parquet"))
LATER = sorted((TABLES / "judged_later").glob("*.parquet"))
SHARES, BATCHES, USUAL = (0.05, 0.1, 0.2), (16, 64, 256), 64
CLAIMED_SHARES, CLAIMED_BATCHES = (0.05, 0.1), (16, 64)
RIVALS = ("halving", "hyperband", "tpe-wilcoxon", "pooled", "random")
# They take as long as all others together: their regret is of the first deals alone, so many at
# most by share; SMAC3 takes minutes at the largest.
SLOW = {
    "gaussian-process": {0.05: 50, 0.1: 50, 0.2: 4},
    "smac": {0.05: 50, 0.1: 12, 0.2: 0},
}
# Mean regret by share and column, a value for each table.
MEANS: dict[float, dict[str, list[float]]] = {share: {} for share in SHARES}
# Mean of halving less race by share and batch, a value for each later table.
GAPS: dict[tuple[float, int], dict[str, float]] = {}
MOST = {64: 1.1, 256: 1.4}  # of the regret in batches of 16


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_the_race_and_its_rivals(path: Path) -> None:
    table = read_table(path)
    for share in SHARES:
        row = {_race(batch): _regrets(table, "race", share, batch) for batch in BATCHES}
        row |= {name: _regrets(table, name, share, USUAL) for name in RIVALS}
        for name, most in SLOW.items():
            row[name] = _regrets(table, name, share, USUAL, min(most[share], REPLAYS))
        row[EXHAUSTIVE] = _regrets(table, EXHAUSTIVE, 1.0, USUAL)
        for name, regrets in row.items():
            MEANS[share].setdefault(name, []).append(_mean(regrets))
        race = row[_race(USUAL)]
        gaps = [_gap(table, row[name] - race) for name in RIVALS[:-1]]
        gaps += [_gap(table, row[name] - race[: len(row[name])]) for name in SLOW]
        gaps += [_gap(table, row[_race(b)] - most * row[_race(16)]) for b, most in MOST.items()]
        _print(path.stem, share, row, gaps)


@pytest.mark.parametrize("path", LATER, ids=lambda path: path.stem)
def test_the_race_and_halving_on_later_tables(path: Path) -> None:
    table = read_table(path)
    for share in CLAIMED_SHARES:
        row = {
            f"{name}, {batch}": _regrets(table, name, share, batch)
            for name in ("race", "halving")
            for batch in CLAIMED_BATCHES
        }
        row[EXHAUSTIVE] = _regrets(table, EXHAUSTIVE, 1.0, USUAL)
        gaps = []
        for batch in CLAIMED_BATCHES:
            differences = row[f"halving, {batch}"] - row[_race(batch)]
            gaps.append(_gap(table, differences))
            GAPS.setdefault((share, batch), {})[path.stem] = _mean(differences)
        gaps.append(_gap(table, row[_race(64)] - MOST[64] * row[_race(16)]))
        _print(path.stem, share, row, gaps)


def test_what_they_come_to(record: Callable[..., None]) -> None:
    if any(len(values) != len(JUDGED) for of in MEANS.values() for values in of.values()):
        pytest.skip("not all tables were played")
    gaps = [f"{name} less race, {USUAL}" for name in (*RIVALS[:-1], *SLOW)]
    gaps += [f"race, {batch} less {most} x race, 16" for batch, most in MOST.items()]
    sys.stdout.write(f"\n| table | share | {' | '.join([*MEANS[SHARES[0]], *gaps])} |")
    for share, of in MEANS.items():
        means = {name: float(np.mean(values)) for name, values in of.items()}
        shown = ["mean of all", f"{100 * share:g}%", *map(_points, means.values())]
        sys.stdout.write(f"\n| {' | '.join(shown)} |")
        for batch, most in MOST.items():
            record(
                f"regret in batches of {batch}, {100 * share:g}% of the cells",
                f"the race's mean regret against batches of 16, {len(JUDGED)} judging tables, "
                f"{REPLAYS} replays each",
                means[_race(batch)] / means[_race(16)],
                at_most=most,
                means=means,
            )
    sys.stdout.write("\n")


def test_what_the_later_tables_come_to(record: Callable[..., None]) -> None:
    if any(len(of) != len(LATER) for of in GAPS.values()) or not GAPS:
        pytest.skip("not all later tables were played")
    for (share, batch), of in GAPS.items():
        # Tables of one data set are no independent evidence: its mean counts once.
        sets = sorted({name.partition("-")[2] for name in of})
        by_set = [[of[name] for name in of if name.endswith(f"-{data}")] for data in sets]
        means = np.array([np.mean(gaps) for gaps in by_set])
        half = float(special.stdtrit(len(sets) - 1, 0.975) * means.std(ddof=1) / len(sets) ** 0.5)
        mean = float(means.mean())
        sys.stdout.write(
            f"\nhalving less race, {100 * share:g}%, batches of {batch}: {100 * mean:+.2f} "
            f"[{100 * (mean - half):.2f}, {100 * (mean + half):.2f}] over {len(sets)} data sets"
        )
        record(
            f"later tables, {100 * share:g}% of the cells, batches of {batch}",
            f"mean regret of halving less the race's, {len(of)} tables, {REPLAYS} replays each",
            100 * mean,
            unit="points",
            at_least=0.0,
            gaps=of,
        )
    sys.stdout.write("\n")


def _race(batch: int) -> str:
    return f"race, {batch}"


def _regrets(
    table: ScoreTable, name: str, share: float, batch: int, replays: int = REPLAYS
) -> FloatArray:
    """Regret of each replay; nan where nobody was named, none where none is played."""
    if not replays:
        return np.array([])
    played = bout(table, name, share, replays, Rules(batch=batch))["regrets"]
    return np.array([np.nan if regret is None else regret for regret in played])


def _mean(regrets: FloatArray) -> float:
    if not len(regrets):
        return float("nan")
    # Nothing named is worse than whatever could be.
    return float(np.where(np.isnan(regrets), np.inf, regrets).mean())


def _gap(table: ScoreTable, differences: FloatArray) -> str:
    """Mean of paired differences with its interval, in points."""
    if not len(differences):
        return "-"
    seen = np.stack([Rules().deal(table, number).seeds for number in range(len(differences))])
    of = paired(differences, seen)
    if of["mean"] is None or of["low"] is None or of["high"] is None:
        return "-"
    return f"{100 * of['mean']:+.2f} [{100 * of['low']:.2f}, {100 * of['high']:.2f}]"


def _print(name: str, share: float, row: Mapping[str, FloatArray], gaps: list[str]) -> None:
    means = [_points(_mean(regrets)) for regrets in row.values()]
    sys.stdout.write(f"\n| {' | '.join([name, f'{100 * share:g}%', *means, *gaps])} |")
    sys.stdout.flush()


def _points(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{100 * value:.2f}"
