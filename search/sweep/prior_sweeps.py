"""Earlier sweeps that guide a race, read from the ledger.

Those of `--prior`, or without it those of other data: of the same rows a sweep is taken when it is
named alone, for which configs then get all their cells leans on the luck of these rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from search.errors import InputError, LedgerError, NoLedgerError
from search.ledger.ledger import Ledger
from search.ledger.records import SweepRecord
from search.planning.chosen_space import narrowed_space
from search.planning.configs import choose_configs
from search.planning.plan import Plan
from search.planning.saved_plan import of_record
from search.results.earlier import FILE, Earlier, of_text, to_text
from search.results.score_matrix import ScoreMatrix, objective_and_time, tell_known
from search.spec.sweep_spec import SweepSpec
from search.strategies.board import Board
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe
from search.sweep.load import find, plan_ranked_by
from search.tracking.open import open_ledger
from spaces import Space
from trainables.engine.contract import Scalar

Configs = Sequence[Mapping[str, Scalar]]
# Measured (search/strategies/README.md): with fewer cells beside the references a race cannot tell
# a sweep that misleads it, and three guide it better than one.
_FEWEST_CONFIGS, _MOST_FOUND = 5, 3
_MOST_LOOKED_AT = 12
_MOST_CELLS = 100_000  # more would take seconds to read


def check(spec: SweepSpec) -> None:
    """Refuse sweeps that can be no prior, before anything heavy is imported.

    Raises:
        InputError: naming the sweep, and what is wrong with it.
    """
    if spec.prior:
        space = narrowed_space(spec)
        with open_ledger(spec.tracking_uri, spec.experiment) as ledger:
            _read(spec, space, choose_configs(spec, space)[0], ledger)


def of_sweep(plan: Plan, ledger: Ledger, sweep_id: str | None) -> list[Earlier]:
    """Earlier sweeps that a sweep kept, else as they are now.

    Raises:
        InputError: as `check`.
    """
    if not plan.spec.guided:
        return []
    kept = None if sweep_id is None else kept_with(plan, ledger, sweep_id)
    if kept is not None:
        return kept
    if plan.spec.prior:
        return _read(plan.spec, plan.space, plan.configs, ledger)
    return _found(plan, ledger) if sweep_id is None else []


def of_plan(plan: Plan) -> list[Earlier]:
    """Earlier sweeps that would guide a new sweep.

    Raises:
        InputError: as `check`.
    """
    try:
        with open_ledger(plan.spec.tracking_uri, plan.spec.experiment) as ledger:
            return of_sweep(plan, ledger, None)
    except NoLedgerError:
        return []


def kept_with(plan: Plan, ledger: Ledger, sweep_id: str) -> list[Earlier] | None:
    """Earlier sweeps that a sweep kept; None without any."""
    text = ledger.file(sweep_id, FILE)
    return None if text is None else of_text(text, len(plan.configs))


def keep(ledger: Ledger, sweep_id: str, earlier: Sequence[Earlier]) -> None:
    """Keep them with the sweep."""
    if earlier and ledger.file(sweep_id, FILE) is None:
        ledger.attach(sweep_id, {FILE: to_text(earlier)})


def _read(spec: SweepSpec, space: Space, configs: Configs, ledger: Ledger) -> list[Earlier]:
    found = [_named(name, space, configs, ledger) for name in spec.prior or ()]
    ids = [one.run_id for one in found]
    for place, one in enumerate(found):
        if one.run_id in ids[:place]:
            raise InputError(f"--prior names sweep {one.sweep!r} twice.")
    return found


def _found(plan: Plan, ledger: Ledger) -> list[Earlier]:
    """The ledger's sweeps of other data; none for a small budget."""
    problem, limit = plan.problem, plan.spec.budget.max_cells
    fewest = _FEWEST_CONFIGS * problem.blocks
    if limit is not None and limit - len(problem.floor) * problem.blocks < fewest:
        return []
    found: list[Earlier] = []
    names = {plan.spec.data.name}
    # Of the same model first, each from the newest on; one sweep of each data set.
    others = sorted(
        _of_the_space(plan, ledger), key=lambda one: one.spec.get("model") != plan.spec.model
    )
    for record in others[:_MOST_LOOKED_AT]:
        if len(found) == _MOST_FOUND:
            break
        with suppress(InputError, LedgerError):
            other = of_record(record)
            name, size = other.spec.data.name, len(other.configs) * len(other.blocks)
            if name in names or not fewest <= size <= _MOST_CELLS:
                continue
            one = _earlier(record.name, record, plan.space, plan.configs, ledger)
            if one.cells >= fewest:
                found.append(one)
                names.add(name)
    return found


def _of_the_space(plan: Plan, ledger: Ledger) -> list[SweepRecord]:
    """Sweeps of the same space on other rows, newest first."""
    found = []
    for record in ledger.sweeps():
        with suppress(LedgerError):
            spec, rows = record.spec, record.task.get("data_fingerprint")
            # Nobody named these sweeps: no code of theirs is loaded but what this one loads, too.
            ours = spec.get("space") == plan.space.name and spec.get("plugin") == plan.spec.plugin
            if ours and rows != plan.task.data_fingerprint and not record.is_inner:
                found.append(record)
    return found


def _named(name: str, space: Space, configs: Configs, ledger: Ledger) -> Earlier:
    try:
        record = find(ledger, name)
    except InputError as error:
        raise InputError(f"--prior {name}: {error}") from error
    return _earlier(name, record, space, configs, ledger)


def _earlier(
    name: str, record: SweepRecord, space: Space, configs: Configs, ledger: Ledger
) -> Earlier:
    plan = plan_ranked_by(record, space.objective)
    other = plan.space
    if (other.name, other.trainable) != (space.name, space.trainable):
        raise InputError(
            f"--prior {name}: that sweep searched the space {other.name!r}, and this one searches "
            f"{space.name!r}. Name a sweep of {space.name!r}, or leave it out."
        )
    searched = {axis.name for axis in other.axes if len(axis.values) > 1}
    axes = [axis.name for axis in space.axes if axis.name in searched and len(axis.values) > 1]
    if not axes:
        raise InputError(
            f"--prior {name}: no axis is searched by both. That sweep searched "
            f"{_names(searched)}; this one searches "
            f"{_names(axis.name for axis in space.axes if len(axis.values) > 1)}."
        )
    table, cells = _scores(plan, record, ledger)
    if not cells:
        raise InputError(
            f"--prior {name}: none of its cells has a score for {space.objective}. Wait until it "
            "has some, or leave it out."
        )
    belief = believe(build_features(plan.problem), Board.of(plan.problem, table.scores))
    groups: dict[tuple[Scalar | None, ...], list[float]] = {}
    for config, mean in zip(plan.configs, belief.mean.tolist(), strict=True):
        groups.setdefault(_point(other, config, axes), []).append(mean)
    points = [_point(space, config, axes) for config in configs]
    # A baseline without any of the axes is in both, and tells nothing of the others.
    if not any(point in groups and any(value is not None for value in point) for point in points):
        raise InputError(
            f"--prior {name}: it has none of the values that this sweep searches on {_names(axes)}."
        )
    return Earlier(
        sweep=record.name,
        run_id=record.id,
        data=Path(plan.spec.data.name).name,
        model=Path(plan.spec.model).name,
        cells=cells,
        axes=tuple(axes),
        scores=tuple(
            float(np.mean(groups[point])) if point in groups else None for point in points
        ),
    )


def _scores(plan: Plan, record: SweepRecord, ledger: Ledger) -> tuple[ScoreMatrix, int]:
    table = ScoreMatrix.empty(plan)
    known = ledger.cells(plan.family, objective_and_time(plan))
    tell_known(plan, known, table, lambda *_: None, record.id)
    return table, int(np.isfinite(table.scores).sum())


def _point(
    space: Space, config: Mapping[str, Scalar], axes: Sequence[str]
) -> tuple[Scalar | None, ...]:
    """Values of a config on some axes; None for inert ones."""
    active = space.active(config)
    return tuple(active.get(name) for name in axes)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
