"""Champion and challenger of a scheduled sweep, compared on the same cells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from search.arrays import FloatArray
from search.errors import InputError
from search.formatting import unit
from search.process.folders import STATE
from search.results.score_matrix import ScoreMatrix, objective_and_time, tell_known
from search.schedule import promotion
from search.spec.sweep_spec import Budget, SweepSpec
from search.tracking.open import open_ledger
from trainables.engine.contract import Scalar
from trainables.engine.keys import canonical_json

if TYPE_CHECKING:
    from search.ledger.records import SweepRecord
    from search.planning.plan import Plan
    from search.results.outcome import SweepResult
    from search.schedule.file import Entry
    from spaces import Space

Config = Mapping[str, Scalar]


class ChampionUpdate:
    """Comparison of one firing's winner with the champion before it.

    Args:
        entry: Entry of the schedule.
        spec: The firing's sweep.
        past: The entry's sweeps before it, newest firing first.
    """

    def __init__(self, entry: Entry, spec: SweepSpec, past: Sequence[SweepRecord]) -> None:
        self._entry = entry
        self._spec = spec
        configs = (record.tags["champion"] for record in past if "champion" in record.tags)
        self._champion: Config | None = next((json.loads(record) for record in configs), None)

    def score_champion(self) -> None:
        """Train what the champion's config lacks on the data of this firing.

        A race may stop it early, and changed data leave it without a cell: then nothing could be
        compared. The sweep finds these cells in the ledger, so they are no loss.
        """
        from search.sweep import run
        from search.sweep.load import known_pairs

        plan = self._champions_plan()
        if plan is not None and len(known_pairs(plan)) < len(plan.configs) * len(plan.blocks):
            run.run(plan.spec, plan=plan, tags={"champion_of": self._entry.name})

    def _champions_plan(self) -> Plan | None:
        """Plan with the champion's config alone; None if the space lost it."""
        from search.planning.chosen_space import narrowed_space
        from search.planning.prepare import prepare

        if self._champion is None:
            return None
        spec = self._spec.model_copy(update={"set_axes": self._with_champion()})
        space = narrowed_space(spec)
        axes = {axis.name for axis in space.axes}
        kept = {**space.added, **self._champion}
        config = {name: value for name, value in kept.items() if name in axes}
        name = f"{self._spec.name}-champion"
        file = STATE / "schedule" / f"{name}.json"  # kept: the sweep's spec names it
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([config]))
        fields = {"configs": str(file.resolve()), "strategy": "grid", "nested": False, "name": name}
        try:
            plan = prepare(spec.model_copy(update={**fields, "budget": Budget()}))[0]
        except InputError:
            return None
        return plan if self._index(plan) is not None else None

    def _with_champion(self) -> dict[str, tuple[Scalar, ...]]:
        """Values for --set that let the champion's config compete.

        The axes may have been narrowed since, and the champion's values need not be their own.
        """
        from search.planning.chosen_space import declared_space, narrowed_space

        space = declared_space(self._spec).fix(self._spec.fix)
        own = {axis.name: axis for axis in space.axes}
        searched = {axis.name for axis in narrowed_space(self._spec).axes}
        wanted: dict[str, tuple[Scalar, ...]] = {}
        for name, value in (self._champion or {}).items():
            if name in own and not own[name].has(value):
                wanted[name] = (*(own[name].values if own[name].interval is None else ()), value)
            elif name in space.fixed and name in searched and value != space.fixed[name]:
                wanted[name] = (space.fixed[name], value)
        return wanted

    def _index(self, plan: Plan) -> int | None:
        for index, config in enumerate(plan.configs):
            if self._is_champion(plan.space, plan.space.active(config)):
                return index
        return None

    def _is_champion(self, space: Space, active: Config) -> bool:
        """Return True for the champion's config.

        It may have been kept when the space had fewer parameters.
        """
        if self._champion is None:
            return False
        return canonical_json(space.keyed(active)) == canonical_json(space.keyed(self._champion))

    def settle(self, outcome: SweepResult) -> str:
        """Decide about the champion, and keep the decision with the sweep."""
        plan, winner = outcome.plan, outcome.standings.winner
        if winner is None:
            return "no winner"
        config = plan.space.active(plan.configs[winner])
        if self._is_champion(plan.space, config):
            decision = promotion.Decision(False, "the champion won again")
        else:
            decision = self._compared(plan, outcome.table.scores[winner])
        tags = {
            "promotion": "moves" if decision.moves else "stays",
            "promotion_reason": decision.reason,
        }
        if decision.moves:
            tags["champion"] = canonical_json(config)
        with open_ledger(self._spec.tracking_uri, self._spec.experiment) as ledger:
            ledger.tag_sweep(outcome.sweep_id, tags)
        said = f"champion {tags['promotion']}: {decision.reason}"
        if decision.moves and self._entry.registered_model is not None:
            said += f"; {self._set_champion(outcome.sweep_id, self._entry.registered_model)}"
        return said

    def _set_champion(self, sweep_id: str, name: str) -> str:
        """Train the winner on all data and register it as champion.

        Raises:
            InputError: as `champion.promote`; the decision stands in the sweep's tags already.
            SweepError: as `champion.promote`.
        """
        from search.serving import promote

        folder = STATE / "champions" / self._spec.name
        promoted = promote.promote(
            self._spec.tracking_uri, self._spec.experiment, sweep_id, name=name, folder=folder
        )
        return f"alias champion of {name} is version {promoted.registered.version}"

    def _compared(self, plan: Plan, winner: FloatArray) -> promotion.Decision:
        if self._champion is None:
            return promotion.decide(winner, None, plan.test_share)
        theirs = self._champions_plan()
        index = None if theirs is None else self._index(theirs)
        if theirs is None or index is None:
            return promotion.Decision(False, "the champion's config is none of this sweep's")
        table = ScoreMatrix.empty(theirs)
        with open_ledger(self._spec.tracking_uri, self._spec.experiment) as ledger:
            cells = ledger.cells(theirs.family, objective_and_time(theirs))
            tell_known(theirs, cells, table, lambda *_: None)
        mode, measure = plan.space.mode, unit(plan.space.objective)
        return promotion.decide(winner, table.scores[index], plan.test_share, mode, measure)
