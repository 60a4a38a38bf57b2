"""Preparation of a sweep: everything read, checked and bound; nothing trained."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import InputError
from search.functions import own_file
from search.planning import model_reference, precision
from search.planning.chosen_space import declared_space, narrowed_space
from search.planning.configs import check_configs, choose_configs
from search.planning.plan import Plan
from search.process import folders, own_code
from search.spec.naming import rows_of_name
from search.spec.sweep_spec import SweepSpec
from spaces import Space
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning, TrainingConfig, check_shared
from trainables.engine.contract import NO_MODEL, DataRef, Scalar, Task
from trainables.engine.datasets import load
from trainables.engine.datasets.found_columns import with_columns
from trainables.engine.errors import ConfigError
from trainables.engine.training import scoring

if TYPE_CHECKING:
    from trainables.engine.splits.audit import Audit
    from trainables.engine.text_data import TextData


def _local(data: DataRef) -> DataRef:
    """Make a local table's path absolute: workers run in other folders."""
    path = load.local_path(data.name)
    return data if path is None else replace(data, name=str(path))


def _plugin_digest(spec: SweepSpec) -> str:
    if spec.plugin is None:
        return ""
    return own_code.of_plugin(Path(spec.plugin).read_text(encoding="utf-8"))


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
