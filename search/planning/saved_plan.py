"""Plans in the ledger: their document, and a plan rebuilt from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import LedgerError
from search.functions import own_file
from search.ledger.records import PLUGIN_TEXT
from search.planning.chosen_space import declared_space, narrowed_space
from search.planning.configs import choose_configs
from search.planning.plan import Plan
from search.spec.make_spec import saved_spec
from search.spec.sweep_spec import SweepSpec
from trainables.engine.contract import Scalar, Task

if TYPE_CHECKING:
    from search.ledger.records import SweepRecord

_LONGEST_PLUGIN = 60_000
# Fixed values that were others while sweeps did not keep theirs.
_BEFORE: Mapping[str, Mapping[str, Scalar]] = {
    "softtriple": {"pooling": "cls"},
    "contrastive": {"pooling": "cls"},
    "mirror": {"schedule": "linear"},
}


def to_json(plan: Plan) -> dict[str, Any]:
    """Document that the ledger keeps of a plan; `of_record` is the inverse."""
    saved: dict[str, Any] = {"spec": plan.spec.model_dump(mode="json"), "task": plan.task.to_json()}
    if plan.spec.plugin is None and plan.spec.declared is None:
        saved["fixed"] = dict(declared_space(plan.spec).fixed)
    if plan.spec.plugin is not None:
        text = Path(plan.spec.plugin).read_text(encoding="utf-8")
        if len(text) <= _LONGEST_PLUGIN:
            saved[PLUGIN_TEXT] = text
    return saved | ({} if plan.official_share is None else {"test_share": plan.official_share})


def of_record(record: SweepRecord) -> Plan:
    """Rebuild the plan of a sweep, without its data or model.

    Raises:
        LedgerError: if its spec is damaged.
        InputError: if its space or its plugin is not there any more.
    """
    task = task_of(record)
    spec = _as_it_was(spec_of(record), record.spec_json.get("fixed"))
    return rebuild(spec, task, record.spec_json.get("test_share"))


def spec_of(record: SweepRecord) -> SweepSpec:
    """The spec of a sweep, with a plugin that is there.

    A plugin that lay on another machine, or in a job's folder, is written anew from the ledger.

    Raises:
        LedgerError: if it is damaged.
    """
    spec, text = saved_spec(record.spec), record.spec_json.get(PLUGIN_TEXT)
    if spec.plugin is None or not text or Path(spec.plugin).is_file():
        return spec
    file = own_file.written(Path(spec.plugin).name, text)
    return spec.model_copy(update={"plugin": str(file)})


def _as_it_was(spec: SweepSpec, fixed: Mapping[str, Scalar] | None) -> SweepSpec:
    """Fix what a space of ours has changed since a sweep began.

    Args:
        spec: The sweep's spec.
        fixed: The space's fixed values then; None where the sweep did not keep them.
    """
    if spec.plugin is not None or spec.declared is not None:
        return spec
    space = declared_space(spec)
    then = {**space.added, **_BEFORE.get(space.name, {})} if fixed is None else fixed
    axes = {axis.name for axis in space.axes}
    changed = {
        name: value
        for name, value in then.items()
        if name not in {*spec.fix, *spec.set_axes}
        and (name in axes or (name in space.fixed and space.fixed[name] != value))
    }
    return spec.model_copy(update={"fix": {**changed, **spec.fix}})


def task_of(record: SweepRecord) -> Task:
    """The task of a sweep in the ledger.

    Raises:
        LedgerError: if it is damaged.
    """
    try:
        return Task.from_json(record.task)
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"The task of sweep {record.name!r} (run {record.id}) is damaged in MLflow: {error}."
        ) from error


def rebuild(spec: SweepSpec, task: Task, official_share: float | None = None) -> Plan:
    """The plan of a spec whose task is known."""
    space = narrowed_space(spec)
    configs, names, baseline, left_out = choose_configs(spec, space)
    parts = (spec, space, configs, names, baseline, task, left_out, official_share)
    return Plan(*parts, declared_space(spec).beyond(spec.set_axes))
