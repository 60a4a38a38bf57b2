"""Preparation of a sweep: everything read, checked and bound; nothing trained."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import InputError, LedgerError
from search.functions import own_file
from search.ledger.records import PLUGIN_TEXT
from search.planning import model_reference, precision
from search.planning.configs import check_configs, choose_configs
from search.planning.plan import Plan
from search.process import folders, own_code
from search.spec.make_spec import saved_spec
from search.spec.naming import rows_of_name
from search.spec.sweep_spec import SweepSpec
from search.strategies.named import RANGED, SAMPLING
from spaces import Space
from trainables.engine import registry
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning, TrainingConfig, check_shared
from trainables.engine.contract import NO_MODEL, DataRef, Scalar, Task
from trainables.engine.datasets import load
from trainables.engine.datasets.found_columns import with_columns
from trainables.engine.errors import ConfigError
from trainables.engine.functions.declaration import REGRESSION
from trainables.engine.training import scoring

if TYPE_CHECKING:
    from search.ledger.records import SweepRecord
    from trainables.engine.splits.audit import Audit
    from trainables.engine.text_data import TextData


def _local(data: DataRef) -> DataRef:
    """Make a local table's path absolute: workers run in other folders."""
    path = load.local_path(data.name)
    return data if path is None else replace(data, name=str(path))


_LONGEST_PLUGIN = 60_000


def _plugin_digest(spec: SweepSpec) -> str:
    if spec.plugin is None:
        return ""
    return own_code.of_plugin(Path(spec.plugin).read_text(encoding="utf-8"))


def declared_space(spec: SweepSpec) -> Space:
    """The spec's space as it is declared.

    Raises:
        ValueError: naming an unknown space, and those that there are.
    """
    if spec.plugin is not None:
        registry.register_plugin(Path(spec.plugin))
    own = own_file.space_of(spec)
    if own is not None:
        return own
    space = (
        registry.load("spaces", spec.space, "SPACE")
        if spec.declared is None
        else Space.from_json(spec.declared)
    )
    if not isinstance(space, Space):
        raise InputError(f"SPACE of {spec.space!r} must be a Space, got {type(space).__name__}.")
    return space


def narrowed_space(spec: SweepSpec) -> Space:
    """The spec's space with its --set and --fix applied.

    Raises:
        ValueError: naming an unknown space, axis or value, and what is allowed.
    """
    space = declared_space(spec)
    space = space.search(spec.set_axes) if spec.set_axes else space
    space = space.fix(spec.fix) if spec.fix else space
    return with_objective(spec, _without_ranges(spec, _with_metadata(spec, space)))


def with_objective(spec: SweepSpec, space: Space) -> Space:
    """The space, ranked by the metric that its user named.

    Raises:
        RegistryError: if no cell has it.
    """
    name = spec.objective
    if name is None or name == space.objective:
        return space
    own = own_file.module_of(spec) is not None
    if own and name not in REGRESSION:
        # A function may return any metric; whether it does, its first cell tells.
        word, low = name, scoring.low_is_good(name)
    elif own:
        word, low = name, REGRESSION[name]
    else:
        word = scoring.check_objective(name)
        low = scoring.low_is_good(word)
    return replace(space, objective=word, mode="min" if low else "max")


def _without_ranges(spec: SweepSpec, space: Space) -> Space:
    """Give ranges points, for strategies that take them; refuse others."""
    if space.ranges and spec.configs == "all" and spec.strategy not in RANGED:
        names = ", ".join(space.ranges)
        raise InputError(
            f"{names} of space {space.name!r} is a range, which strategy {spec.strategy!r} cannot "
            f"enumerate: search it with --strategy {' or '.join(RANGED)}, or name the values to "
            f"try, --set {space.ranges[0]}=V,V."
        )
    return space.sampled() if space.ranges or spec.strategy in SAMPLING else space


def _with_metadata(spec: SweepSpec, space: Space) -> Space:
    """Drop values of axis `metadata` that the data have no columns for."""
    if spec.data.metadata and "metadata" not in space.kinds:
        raise InputError(
            f"Space {space.name!r} joins no metadata to its texts, got --metadata "
            f"{','.join(spec.data.metadata)}. Leave it out, or use the space 'tweets'."
        )
    axis = next((axis for axis in space.axes if axis.name == "metadata"), None)
    if spec.data.metadata or axis is None or "metadata" in spec.set_axes:
        return space  # what --set and --fix ask for is refused once the data are read
    return space.narrow({"metadata": ("none",)})


def _bind_all(space: Space, configs: tuple[Mapping[str, Scalar], ...]) -> list[TrainingConfig]:
    """Bind each config to the trainable's Config; collect the first misfits."""
    trainable = Trainable.load(space.trainable)
    bound = []
    faults: dict[str, None] = {}
    for config in configs:
        try:
            bound.append(trainable.bind(config))
        except ConfigError as error:
            faults[str(error)] = None
    if faults:
        shown = "\n".join(itertools.islice(faults, 10))
        raise InputError(
            f"Space {space.name!r} does not fit trainable {space.trainable!r}:\n{shown}"
        )
    return bound


def _check_workers(spec: SweepSpec, space: Space, configs: Sequence[TrainingConfig]) -> None:
    """Refuse several workers a trial where they cannot share the work."""
    workers = spec.resources.workers_per_trial
    trainable = Trainable.load(space.trainable)
    parts = max((c.accumulation for c in configs if isinstance(c, FineTuning)), default=1)
    if workers > 1 and parts > 1:
        raise InputError(
            f"{workers} workers share each batch already: leave accumulation at 1, got {parts}."
        )
    if workers == 1 or not trainable.may_train_heads:
        return
    heads = sum(trainable.representation(config) is not None for config in configs)
    if heads:
        raise InputError(
            f"{heads:,} of {len(configs):,} configs of space {space.name!r} train heads on frozen "
            f"features, whose rows no workers share: {workers} of them would do the same work. "
            "Leave --workers-per-trial at 1; --trials trains more stacks at once."
        )


def _files(space: Space, configs: Sequence[TrainingConfig]) -> dict[str, set[str]]:
    """Values by field that name further files, as the trainable's `files` says."""
    trainable = Trainable.load(space.trainable)
    values: dict[str, set[str]] = {}
    for config in configs:
        for name, value in trainable.files(config).items():
            values.setdefault(name, set()).add(value)
    return values


def _local_files(spec: SweepSpec, files: Mapping[str, set[str]]) -> SweepSpec:
    """Make the paths of files in fixed values absolute."""
    from trainables.engine.features import named_files

    fix = dict(spec.fix)
    for name, values in files.items():
        for value in values:
            local = named_files.resolve(value)
            if local != value and fix.get(name) != value:
                raise InputError(
                    f"{name}={value} must be an absolute path where --fix does not give it: {local}"
                )
            if local != value:
                fix[name] = local
    return spec.model_copy(update={"fix": fix})


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


# Fixed values that were others while sweeps did not keep theirs.
_BEFORE: Mapping[str, Mapping[str, Scalar]] = {
    "softtriple": {"pooling": "cls"},
    "contrastive": {"pooling": "cls"},
    "mirror": {"schedule": "linear"},
}


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


def prepare(spec: SweepSpec, *, saved: bool = False) -> tuple[Plan, TextData, Audit]:
    """Read, check and bind everything; train nothing.

    Args:
        spec: The spec.
        saved: True for a sweep of the ledger, whose data mean what they meant then.

    Returns:
        The plan, the data that it reads, and what the audit found in them.

    Raises:
        InputError: for whatever the user can mend: a file, a column, a class too small, an unknown
            space, axis, value or model. The message says how.
    """
    check_names(spec)
    if not saved:
        # Again, now that a plugin's data sets are known.
        official = spec.holdout == "official"
        try:
            named = rows_of_name(spec.data, spec.train_rows, official)
        except ValueError as error:
            raise InputError(str(error)) from error
        space = narrowed_space(spec)
        spec = own_file.with_whole_table(spec.model_copy(update=named), space)
        spec = precision.chosen(spec, space)
        spec = spec.model_copy(update={"data": with_columns(spec.data)})
    return _prepare(spec)


def plan(spec: SweepSpec) -> Plan:
    """Plan a sweep: read, check and bind everything, train nothing.

    Raises:
        InputError: as `prepare`.
    """
    return prepare(spec)[0]


def check_names(spec: SweepSpec) -> None:
    """Refuse wrong names, values and columns before any heavy import.

    Raises:
        InputError: as `prepare`, within a second; what this passes `prepare` may still refuse.
    """
    space = narrowed_space(spec)
    if spec.plugin is None and spec.declared is None:
        # A trainable's own fields are judged by its file, which imports torch.
        check_shared(space.fixed)
        for axis in space.axes:
            for value in axis.interval or axis.values:
                check_shared({axis.name: value})
    check_configs(spec, space)
    spec = own_file.with_whole_table(spec, space)
    if spec.model != NO_MODEL:
        model_reference.check_name(spec.model)
    load.check_names(with_columns(spec.data, whole=False))


def _prepare(spec: SweepSpec) -> tuple[Plan, TextData, Audit]:
    space = narrowed_space(spec)
    spec = own_file.with_whole_table(spec, space)
    configs, names, baseline, left_out = choose_configs(spec, space)
    bound = _bind_all(space, configs)
    _check_workers(spec, space, bound)
    # Heavy imports (torch, datasets) only when the cheap checks are through.
    from trainables.engine.cells import checks
    from trainables.engine.features import named_files
    from trainables.engine.models import pretrained
    from trainables.engine.splits import folds
    from trainables.engine.splits.audit import audit

    if space.cleaning and not spec.data.cleaning:
        data_ref = replace(spec.data, cleaning=space.cleaning)
        spec = spec.model_copy(update={"data": data_ref})
    folders.usable_cache()
    local = _local_files(spec, _files(space, bound))
    if local != spec:
        spec = local
        space = narrowed_space(spec)
        configs, names, baseline, left_out = choose_configs(spec, space)
        bound = _bind_all(space, configs)
    files = {value for values in _files(space, bound).values() for value in values}
    model = NO_MODEL
    if spec.model != NO_MODEL:
        model = model_reference.resolve(spec.model, spec.tracking_uri, spec.experiment)
    spec = spec.model_copy(update={"data": _local(spec.data), "model": model})
    data = load.load_data(spec.data)
    if spec.objective is not None and own_file.module_of(spec) is None:
        scoring.check_objective(spec.objective, data.label_names)
    # Folds differ by some rows, and each of them must have as many as a cell is to train on.
    tried = range(spec.folds or 1) if spec.train_rows is not None else (0,)
    for split, seed, fold in itertools.product(spec.splits, spec.protocol.seeds, tried):
        folds.held_out(data, split, seed, fold)
    official = None
    if spec.holdout == "official":
        whole = replace(spec.split, train_rows=None)
        train, test = folds.held_out(data, whole, spec.seeds[0], 0)
        official = len(test) / (len(train) + len(test))
    task = Task(
        trainable=space.trainable,
        version=Trainable.load(space.trainable).version,
        data=spec.data,
        data_fingerprint=data.fingerprint,
        model=spec.model,
        model_fingerprint=NO_MODEL
        if model == NO_MODEL
        else pretrained.model_fingerprint(spec.model),
        split=spec.split,
        files={value: named_files.fingerprint(value) for value in sorted(files)},
        plugin=_plugin_digest(spec),
    )
    checks.check(task, data, bound)
    off_grid = declared_space(spec).beyond(spec.set_axes)
    plan = Plan(spec, space, configs, names, baseline, task, left_out, official, off_grid)
    return plan, data, audit(data)


def checked_data(plan: Plan) -> TextData:
    """The sweep's data, unchanged; model and other files unchanged, too.

    Raises:
        InputError: naming what changed, or cannot be had any more.
    """
    from trainables.engine.cells import checks, runner

    folders.usable_cache()
    data = load.load_data(plan.task.data)
    # First: a broken file is told as what it is, not as another fingerprint.
    checks.check_models(plan.task, data, _bind_all(plan.space, plan.configs))
    return runner.checked_data(plan.task)
