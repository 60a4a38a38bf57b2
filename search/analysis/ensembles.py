"""The predictions of finished sweeps, as ensembles and per-class reports want them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.arrays import FloatArray
from search.errors import InputError, LedgerError, NoPredictionsError
from search.planning.plan import Plan
from search.results.oof_reader import MOST_CELLS, MOST_PROBABILITIES, gather
from search.results.outcome import SweepResult
from search.results.standings import ROPE
from search.stats import ensemble_selection, intervals
from search.stats.class_scores import class_scores
from search.stats.out_of_fold import OutOfFold
from search.sweep.load import load_record
from search.tracking.open import open_ledger
from trainables.engine.training.scoring import metric_of

FILE = "ensemble.json"  # of each sweep that an ensemble was made of


@dataclass(frozen=True, eq=False)
class Candidates:
    """The complete configs of sweeps over the same data and folds.

    Attributes:
        plans: Plans of the sweeps.
        configs: (sweep, config) of each, by place in the plans and in the plan.
        pooled: Their predictions.
    """

    plans: tuple[Plan, ...]
    configs: tuple[tuple[int, int], ...]
    pooled: OutOfFold


def ensemble_document(
    tracking_uri: str, experiment: str, sweeps: Sequence[str], *, rounds: int, most: int
) -> dict[str, Any]:
    """Select an ensemble of sweeps' cells, and score it nested.

    The document is kept with the sweeps in MLflow.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweeps: Names, MLflow run ids, or `latest`.
        rounds: Members to take at most.
        most: Members to choose among at most, those that are best alone.

    Raises:
        InputError: if a sweep is not there, they differ in data, seeds, folds or objective, or
            their predictions cannot be had.
    """
    results = [load_record(tracking_uri, experiment, sweep)[1] for sweep in sweeps]
    check_alike([outcome.plan for outcome in results])
    read = _read(tracking_uri, experiment, results)
    document = _document(read, rounds, most)
    with open_ledger(tracking_uri, experiment) as ledger:
        for sweep_id in dict.fromkeys(outcome.sweep_id for outcome in results):
            ledger.attach(sweep_id, {FILE: json.dumps(document, indent=2)})
    return document


def classes_document(tracking_uri: str, experiment: str, sweep: str, rank: int) -> dict[str, Any]:
    """Scores by class of a config and of its baseline.

    Raises:
        InputError: as `ensemble_document`, or if the leaderboard has no such rank or the config
            has not all its cells.
    """
    outcome = load_record(tracking_uri, experiment, sweep)[1]
    plan, config = outcome.plan, outcome.config_at(rank)
    titles = {config: f"rank {rank}"}
    if plan.baseline is not None:
        titles.setdefault(plan.baseline, f"baseline {plan.names[plan.baseline]}")
    read = _read(tracking_uri, experiment, [outcome], only=list(titles))
    pooled = read.pooled
    there = [config for _, config in read.configs]
    if config not in there:
        raise InputError(
            f"The config of rank {rank} of {plan.spec.name!r} has not all its cells: choose "
            "another with --rank, or go on with `foldrace resume`."
        )
    return {
        "sweep": plan.spec.name,
        "seeds": list(plan.spec.seeds),
        "configs": [
            {
                "what": what,
                "config": plan.axes_of(config),
                "classes": class_scores(
                    pooled.labels, pooled.probabilities[there.index(config)], pooled.label_names
                ).to_json(),
            }
            for config, what in titles.items()
            if config in there
        ],
    }


def check_alike(plans: Sequence[Plan]) -> None:
    """Refuse sweeps whose rows or folds differ.

    Raises:
        InputError: naming the first thing in which two of them differ.
    """
    first = plans[0]
    for other in plans[1:]:
        for what, mine, theirs in (
            ("data", first.task.data_fingerprint[:16], other.task.data_fingerprint[:16]),
            ("split", first.task.split.to_json(), other.task.split.to_json()),
            ("seeds", first.spec.seeds, other.spec.seeds),
            ("objective", first.space.objective, other.space.objective),
        ):
            if mine != theirs:
                raise InputError(
                    f"Sweeps {first.spec.name!r} and {other.spec.name!r} cannot be one ensemble: "
                    f"their {what} differ, {mine} and {theirs}. An ensemble needs predictions of "
                    "the same rows in the same folds: run one of them again with the other's "
                    "--data, --parts, --subset, --train-rows, --clean, --metadata, --seeds and "
                    "--folds."
                )


def _read(
    tracking_uri: str,
    experiment: str,
    results: Sequence[SweepResult],
    only: Sequence[int] | None = None,
) -> Candidates:
    """Read complete configs of sweeps, with predictions.

    A cell that two sweeps share counts once.

    Raises:
        InputError: without a complete config, or if predictions are missing or too many.
    """
    configs: list[tuple[int, int]] = []
    pools: list[OutOfFold] = []
    seen: set[str] = set()
    with open_ledger(tracking_uri, experiment) as ledger:
        for place, outcome in enumerate(results):
            plan = outcome.plan
            complete = np.flatnonzero(np.isfinite(outcome.table.scores).all(axis=1))
            mine = [
                config
                for config in complete.tolist()
                if (only is None or config in only) and plan.cell((config, 0)).key not in seen
            ]
            seen |= {plan.cell((config, 0)).key for config in mine}
            if not mine:
                continue
            _check_size(plan, len(configs) + len(mine))
            ledger.known_cells(plan.family)  # so that their predictions are found
            try:
                pools.append(gather(ledger, outcome.sweep_id, plan, np.array(mine)))
            except (NoPredictionsError, LedgerError) as error:
                raise InputError(f"Sweep {plan.spec.name!r}: {error}.") from error
            configs += [(place, config) for config in mine]
    if not pools:
        names = ", ".join(outcome.plan.spec.name for outcome in results)
        raise InputError(
            f"No config of {names} has all its cells yet: go on with `foldrace resume`."
        )
    first = pools[0]
    if any(not np.array_equal(pool.folds, first.folds) for pool in pools[1:]):
        raise InputError("The sweeps' cells were not held out in the same folds.")
    probabilities = np.concatenate([pool.probabilities for pool in pools])
    pooled = OutOfFold(first.labels, first.groups, first.label_names, probabilities, first.folds)
    return Candidates(tuple(outcome.plan for outcome in results), tuple(configs), pooled)


def _check_size(plan: Plan, configs: int) -> None:
    if configs * len(plan.blocks) > MOST_CELLS:
        raise InputError(
            f"More than {MOST_CELLS:,} cells (or {MOST_PROBABILITIES:,} probabilities) would be "
            "read: name fewer sweeps."
        )


def _document(read: Candidates, rounds: int, most: int) -> dict[str, Any]:
    pooled, plan = read.pooled, read.plans[0]
    objective, share = plan.space.objective, plan.test_share
    sign = plan.problem.sign
    metric = metric_of(objective, pooled.label_names)
    scores = ensemble_selection.nested(
        pooled.labels,
        pooled.probabilities,
        pooled.folds,
        metric,
        rounds=rounds,
        most=most,
        sign=sign,
    )
    configs, seeds, rows, classes = pooled.probabilities.shape
    members = pooled.probabilities.reshape(configs * seeds, rows, classes)
    final = ensemble_selection.select(
        pooled.labels, members, metric, rounds=rounds, most=most, sign=sign
    )
    return {
        "sweeps": [plan_.spec.name for plan_ in read.plans],
        "objective": objective,
        "configs": configs,
        "blocks": len(scores.single),
        "rope": ROPE,
        "nested": [
            _way("best single config", scores.single, None, share, sign),
            _way(f"the same, mean of {seeds} seeds", scores.seeds, scores.single, share, sign),
            _way("greedy ensemble", scores.ensemble, scores.single, share, sign),
        ],
        "flattered": final.score,
        "members_of_a_block": float(scores.sizes.mean()),
        "members": [
            {
                "weight": float(final.counts[member] / final.counts.sum()),
                "sweep": read.plans[read.configs[member // seeds][0]].spec.name,
                "config": read.plans[read.configs[member // seeds][0]].axes_of(
                    read.configs[member // seeds][1]
                ),
                "seed": plan.spec.seeds[member % seeds],
                "score": metric(pooled.labels, members[member]),
            }
            for member in np.argsort(-final.counts, kind="stable").tolist()
            if final.counts[member]
        ],
        "classes": class_scores(pooled.labels, scores.predicted, pooled.label_names).to_json(),
    }


def _way(
    what: str, scores: FloatArray, over: FloatArray | None, share: float, sign: float
) -> dict[str, Any]:
    """Mean and paired gain, over the single config, of one combination."""
    own = _interval(scores, share)
    gain = None
    if over is not None:
        interval = _interval(scores - over, share)
        versus = None
        if len(scores) >= intervals.FEWEST_FOR_INTERVAL:
            versus = intervals.correlated_t_test(sign * (scores - over), share, ROPE)
        gain = {
            **interval,
            "better": None if versus is None else versus.better,
            "equal": None if versus is None else versus.equal,
            "worse": None if versus is None else versus.worse,
        }
    return {"what": what, **own, "gain": gain}


def _interval(values: FloatArray, share: float) -> dict[str, float | None]:
    if len(values) < intervals.FEWEST_FOR_INTERVAL:
        return {"mean": float(values.mean()), "ci_low": None, "ci_high": None, "p_value": None}
    interval = intervals.corrected_interval(values, share)
    return {
        "mean": interval.mean,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "p_value": interval.p_value,
    }
