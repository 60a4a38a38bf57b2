"""A sweep whose scores are drawn instead of trained: real strategy, real ledger, no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from search.ledger.ledger import Ledger
from search.planning.saved_plan import to_json
from search.results.document import summary
from search.results.score_matrix import ScoreMatrix
from search.results.sweep_labels import FILE, SweepLabels
from search.spec.make_spec import make_spec
from search.spec.sweep_spec import SweepSpec
from search.sweep import prior_sweeps
from search.sweep.callback import Callback
from search.sweep.ranking import ranked, strategy_of
from search.sweep.results_handler import ResultHandler, sweep_tags
from tests.factories import plan_of
from trainables.engine.contract import CellResult, DataRef

Score = Callable[[Mapping[str, Any]], float]


def spec_of(uri: str, **changes: Any) -> SweepSpec:
    fields: dict[str, Any] = {
        "space": "softtriple",
        "data": DataRef(name="trec-1k"),
        "model": "roberta-base",
        "name": "drawn",
        "tracking_uri": uri,
        "experiment": "test",
        "set_axes": {"k": (10, 100), "gamma": (0.1,), "margin": (0.3,), "scale": (1.0, 3.3)},
        "seeds": (2, 16),
        "folds": 3,
        "strategy": "grid",
        **changes,
    }
    return make_spec(**fields)


def draw(
    ledger: Ledger, spec: SweepSpec, score: Score, *, rows: int = 120, noise: float = 0.01
) -> str:
    """Let the spec's strategy ask, and answer with a config's score plus block and cell noise.

    Args:
        ledger: Takes it all.
        spec: The sweep.
        score: Expected accuracy of a complete config.
        rows: Of the data; three classes.
        noise: Standard deviation of a cell.

    Returns:
        The sweep's run id.
    """
    plan = plan_of(spec)
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, rows)
    easy = rng.normal(0, noise, len(plan.blocks))
    folds = {s: rng.permutation(rows) % (spec.folds or 5) for s in spec.seeds}
    sweep_id = ledger.start_sweep(spec.name, to_json(plan), sweep_tags(plan))
    truth = SweepLabels(labels, np.arange(rows), ("red", "green", "blue"))
    ledger.attach(sweep_id, {FILE: truth.to_bytes()})
    table = ScoreMatrix.empty(plan)
    earlier = prior_sweeps.of_sweep(plan, ledger, None)
    prior_sweeps.keep(ledger, sweep_id, earlier)
    strategy = strategy_of(plan, earlier)
    handler = ResultHandler(plan, table, ledger, sweep_id, strategy.tell, Callback())
    while not strategy.done:
        results = []
        for config, block in strategy.ask(40):
            seed, fold = plan.blocks[block]
            held_out = np.flatnonzero(folds[seed] == fold)
            wanted = score(plan.configs[config]) + easy[block] + rng.normal(0, noise)
            right = rng.random(len(held_out)) < wanted
            said = np.where(right, labels[held_out], (labels[held_out] + 1) % 3)
            given = np.full((len(held_out), 3), 0.1, np.float32)
            given[np.arange(len(held_out)), said] = 0.8
            value = float(right.mean())
            epochs = tuple(
                {"accuracy": value - 0.1 / epoch, "train_loss": 1.0 / epoch, "loss": 1.0 / epoch}
                for epoch in (1.0, 2.0, 3.0)
            )
            results.append(
                (
                    (config, block),
                    CellResult(
                        key=plan.cell((config, block)).key,
                        status="done",
                        metrics={
                            "accuracy": value,
                            "entropy": float(-(given * np.log2(given)).sum(axis=1).mean()),
                            "seconds": 2.0 + rng.random(),
                        },
                        epochs=epochs,
                        rows=held_out.astype(np.int64),
                        probabilities=given,
                    ),
                )
            )
        handler.results(results)
    standings = ranked(plan, table, ledger, sweep_id, strategy=strategy)
    ledger.finish_sweep(sweep_id, "FINISHED", summary(plan, table, standings))
    ledger.flush()
    return sweep_id
