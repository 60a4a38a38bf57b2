"""Differences between sweeps, each with its interval and probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.arrays import FloatArray
from search.comparison.sides import Side, class_f1, scores_by, side
from search.errors import FoldraceError, InputError
from search.ledger.ledger import Ledger
from search.results.standings import ROPE
from search.stats import differences
from search.stats.differences import Difference
from search.tracking.open import open_ledger
from search.tracking_uri import EXPERIMENT, default_tracking_uri


@dataclass(frozen=True)
class ClassDifference:
    """F1 of one class on both sides, and its difference.

    Attributes:
        name: The class.
        first: Mean F1 of the first side over the blocks compared.
        second: That of the second.
        difference: First minus second; None without a block that both have.
    """

    name: str
    first: float
    second: float
    difference: Difference | None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sides and their difference.

    Attributes:
        first: The first side.
        second: The second side.
        difference: First minus second, the luck of the picks taken off.
        as_picked: The same with it; in the score's own units.
        apart: Why the cells could not be paired; None where they were.
        same: True where both sides are the same trained cells.
        classes: The same per class, in the order of the classes.
        class_note: Why there are none; empty where there are.
    """

    first: Side
    second: Side
    difference: Difference
    as_picked: float
    apart: str | None
    same: bool
    classes: tuple[ClassDifference, ...]
    class_note: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """The first of several sides, compared with each other one.

    Attributes:
        metric: Metric that they are compared by.
        mode: "max" where a high score is good, else "min".
        rope: Differences up to this size, either way, count as practically equal.
        own: True where each sweep ranks its configs by this metric.
        sides: All sides, the first one first.
        pairs: The first with each of the others.
    """

    metric: str
    mode: str
    rope: float
    own: bool
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]


def compare_sweeps(
    sweeps: Sequence[str],
    *,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
    objective: str | None = None,
    rope: float = ROPE,
    names: Sequence[str] = (),
) -> Comparison:
    """Compare the first of several sweeps with each of the others.

    Args:
        sweeps: Two or more: SWEEP (its winner), SWEEP:RANK, SWEEP:NAME of a reference config, or
            SWEEP:baseline.
        tracking_uri: URI of the ledger; None takes MLFLOW_TRACKING_URI, else the local file.
        experiment: Its name.
        objective: Metric to compare by; None takes the first sweep's objective.
        rope: Differences up to this size, either way, count as practically equal.
        names: Names to show for the sweeps, where they are given by their ids.

    Raises:
        InputError: if there is no such sweep or config, it has no cell or not the metric, or the
            ledger cannot be reached.
    """
    if len(sweeps) < 2:
        raise InputError(f"compare wants two sweeps or more, got {len(sweeps)}.")
    with open_ledger(tracking_uri or default_tracking_uri(), experiment) as ledger:
        sides = tuple(
            replace(side(ledger, words, rope), name=name)
            for words, name in zip(sweeps, names or sweeps, strict=True)
        )
        return compare_sides(ledger, sides, objective, rope)


def compare_sides(
    ledger: Ledger, sides: Sequence[Side], objective: str | None = None, rope: float = ROPE
) -> Comparison:
    """Compare the first of several sides with each of the others.

    Raises:
        InputError: if a side's cells lack the metric.
    """
    space = sides[0].plan.space
    metric = objective or space.objective
    own = all(one.plan.space.objective == metric for one in sides)
    scores = [scores_by(ledger, one, metric) for one in sides]
    pairs = tuple(
        _pair(ledger, (sides[0], scores[0]), (other, values), own, rope, space.mode)
        for other, values in zip(sides[1:], scores[1:], strict=True)
    )
    return Comparison(metric, space.mode, rope, own, tuple(sides), pairs)


def _pair(
    ledger: Ledger,
    one: tuple[Side, FloatArray],
    other: tuple[Side, FloatArray],
    own: bool,
    rope: float,
    mode: str,
) -> Pair:
    (first, a), (second, b) = one, other
    apart = why_apart(first, second)
    shared = [] if apart else _shared_blocks(first, second)
    same = bool(shared) and all(
        first.keys()[mine] == second.keys()[theirs] for mine, theirs in shared
    )
    less = first.luck - second.luck if own and not same else 0.0
    shares = first.plan.test_share, second.plan.test_share
    found: Difference | None = None
    if shared:
        mine, theirs = (np.array(column) for column in zip(*shared, strict=True))
        found = differences.paired(a[mine], b[theirs], shares[0], rope=rope, less=less)
        if found is None:
            apart, shared = "no cell is there on both sides", []
    if found is None:
        found = differences.unpaired(a, b, shares, rope=rope, less=less)
    if found is None:
        raise InputError(f"{first.name!r} or {second.name!r} has no finished cell to compare.")
    classes, note = _classes(ledger, first, second, shared, (a, b), rope)
    return Pair(first, second, found, found.mean + less, apart, same, classes, note)


def why_apart(first: Side, second: Side) -> str | None:
    """Reason why two sides' cells cannot be paired; None if they can."""
    mine, theirs = first.plan.spec, second.plan.spec
    for what, here, there in (
        ("folds", mine.folds, theirs.folds),
        ("hold-out", mine.holdout, theirs.holdout),
        ("outer fold", mine.outer, theirs.outer),
    ):
        if here != there:
            return f"their {what} differ ({here or 'none'} and {there or 'none'})"
    if not _same_rows(first, second):
        return "their rows differ"
    if not set(mine.seeds) & set(theirs.seeds):
        return (
            f"they share no seed ({', '.join(map(str, mine.seeds))} and "
            f"{', '.join(map(str, theirs.seeds))})"
        )
    return None


def _same_rows(first: Side, second: Side) -> bool:
    """Return True for equal rows; texts cleaned otherwise are the same rows."""
    if first.plan.task.data_fingerprint == second.plan.task.data_fingerprint:
        return True
    a, b = first.labels, second.labels
    if a is None or b is None or first.data != second.data:
        return False
    return (
        a.label_names == b.label_names
        and np.array_equal(a.labels, b.labels)
        and np.array_equal(a.groups, b.groups)
    )


def _shared_blocks(first: Side, second: Side) -> list[tuple[int, int]]:
    places = {block: place for place, block in enumerate(second.plan.blocks)}
    return [
        (place, places[block]) for place, block in enumerate(first.plan.blocks) if block in places
    ]


def _classes(
    ledger: Ledger,
    first: Side,
    second: Side,
    shared: Sequence[tuple[int, int]],
    scores: tuple[FloatArray, FloatArray],
    rope: float,
) -> tuple[tuple[ClassDifference, ...], str]:
    """Differences per class, or why there are none."""
    if first.labels is None or second.labels is None:
        return (), "a sweep kept no labels"
    names = first.labels.label_names
    if names != second.labels.label_names:
        return (), "their classes differ"
    there = [np.isfinite(row) for row in scores]
    if shared:
        both = [(i, j) for i, j in shared if there[0][i] and there[1][j]]
        blocks = [[i for i, _ in both], [j for _, j in both]]
    else:
        blocks = [np.flatnonzero(row).tolist() for row in there]
    try:
        tables = [
            class_f1(ledger, one, chosen)
            for one, chosen in zip((first, second), blocks, strict=True)
        ]
    except FoldraceError as error:
        return (), str(error)
    shares = first.plan.test_share, second.plan.test_share
    return tuple(
        ClassDifference(
            name,
            float(np.nanmean(a)) if np.isfinite(a).any() else 0.0,
            float(np.nanmean(b)) if np.isfinite(b).any() else 0.0,
            differences.paired(a, b, shares[0], rope=rope)
            if shared
            else differences.unpaired(a, b, shares, rope=rope),
        )
        for name, a, b in zip(names, tables[0].T, tables[1].T, strict=True)
    ), ""
