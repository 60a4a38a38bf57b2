"""Plans of the sweeps inside a nested cross-validation, and their records.

An inner sweep is an ordinary sweep, NAME-nested-0 and so on: resumable, and its cells are in the
ledger once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from search.planning.plan import Plan
from search.spec.make_spec import saved_spec

if TYPE_CHECKING:
    from search.ledger.records import SweepRecord

# Not what an inner sweep is, only how long and where it runs.
_MAY_DIFFER = {"budget", "resources", "tracking_uri", "experiment", "plugin"}


def inner_plan(plan: Plan, fold: int) -> Plan:
    """Plan of the inner sweep, without the outer fold's held-out rows."""
    spec = plan.spec.model_copy(
        update={
            "name": f"{plan.spec.name}-nested-{fold}",
            "nested": False,
            "outer": (plan.spec.seeds[0], fold),
        }
    )
    return replace(plan, spec=spec, task=replace(plan.task, split=spec.split))


def inner_plans(plan: Plan) -> list[Plan]:
    """The inner sweeps, one an outer fold.

    Raises:
        ValueError: for a protocol without folds.
    """
    if plan.spec.folds is None:
        raise ValueError(f"nested wants folds, got holdout={plan.spec.holdout}.")
    return [inner_plan(plan, fold) for fold in range(plan.spec.folds)]


def is_record_of(record: SweepRecord, inner: Plan) -> bool:
    """Return True for a sweep that was started by this plan.

    Raises:
        LedgerError: if its spec cannot be read.
    """
    if record.name != inner.spec.name or record.tags.get("family") != inner.family:
        return False
    spec = saved_spec(record.spec)
    own = inner.spec.model_dump(mode="json", exclude=_MAY_DIFFER)
    return spec.model_dump(mode="json", exclude=_MAY_DIFFER) == own
