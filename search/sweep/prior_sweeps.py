"""Earlier sweeps of `--prior`, read from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from search.errors import InputError
from search.ledger.ledger import Ledger
from search.ledger.records import SweepRecord
from search.planning.chosen_space import narrowed_space
from search.planning.configs import choose_configs
from search.planning.plan import Plan
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
    if not plan.spec.prior:
        return []
    kept = None if sweep_id is None else kept_with(plan, ledger, sweep_id)
    return _read(plan.spec, plan.space, plan.configs, ledger) if kept is None else kept


def kept_with(plan: Plan, ledger: Ledger, sweep_id: str) -> list[Earlier] | None:
    """Earlier sweeps that a sweep kept; None without any."""
    text = ledger.file(sweep_id, FILE)
    return None if text is None else of_text(text, len(plan.configs))


def keep(ledger: Ledger, sweep_id: str, earlier: Sequence[Earlier]) -> None:
    """Keep them with the sweep."""
    if earlier and ledger.file(sweep_id, FILE) is None:
        ledger.attach(sweep_id, {FILE: to_text(earlier)})


def _read(spec: SweepSpec, space: Space, configs: Configs, ledger: Ledger) -> list[Earlier]:
    found = [_earlier(name, space, configs, ledger) for name in spec.prior]
    ids = [one.run_id for one in found]
    for place, one in enumerate(found):
        if one.run_id in ids[:place]:
            raise InputError(f"--prior names sweep {one.sweep!r} twice.")
    return found


def _earlier(name: str, space: Space, configs: Configs, ledger: Ledger) -> Earlier:
    try:
        record = find(ledger, name)
    except InputError as error:
        raise InputError(f"--prior {name}: {error}") from error
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
        data=plan.spec.data.name,
        model=plan.spec.model,
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
