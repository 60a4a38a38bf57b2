"""space x protocol x data -> cells: everything that is known of a sweep before it is trained.

`prepare` finds bad input before the first second of training: the space is narrowed, every config
is bound to its trainable's Config, the data are read, split and audited, the weights are found.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from search.planning.configs import read_configs
from search.process import folders, own_code
from search.results.labels import Labels
from search.spec import InputError, SweepSpec
from search.strategies.strategy import Problem
from search.sweep import keep_encoder as model_source
from spaces.schema.space import Space
from trainables.engine import registry
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, DataRef, Scalar, Task, cell_keys, family_key
from trainables.engine.datasets import load as dataset

if TYPE_CHECKING:
    from trainables.engine.datasets.load import TextData
    from trainables.engine.splits.audit import Audit

# More configs than this are not enumerated by any strategy: narrow the space instead.
_MOST_CONFIGS = 200_000


@dataclass(frozen=True)
class Plan:
    """A sweep's configs and cells, in a fixed order that only the spec decides.

    Attributes:
        spec: What was asked for, local paths made absolute.
        space: The space, narrowed and fixed as the spec says.
        configs: Complete configs: every field of the trainable's Config.
        names: Names of the reference configs by index.
        baseline: Index of the config that gains are measured against; None without one.
        task: What all cells share.
        left_out: Names of reference configs that the narrowed axes exclude.
    """

    spec: SweepSpec
    space: Space
    configs: tuple[Mapping[str, Scalar], ...]
    names: Mapping[int, str]
    baseline: int | None
    task: Task
    left_out: tuple[str, ...] = ()

    @cached_property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """(seed, fold) pairs in the order that all configs share."""
        return tuple(self.spec.protocol.blocks())

    @property
    def declared_in(self) -> str:
        """The file that declares the space, for messages."""
        return self.spec.plugin or f"spaces/{self.spec.space}.py"

    @cached_property
    def family(self) -> str:
        """The ledger's tag of all cells with this data, model and split."""
        return family_key(self.task)

    @cached_property
    def keys(self) -> dict[str, tuple[int, int]]:
        """Cell key -> (config, block), for every cell that the sweep may train."""
        return {
            key: (index, block)
            for index, config in enumerate(self.configs)
            for block, key in enumerate(
                cell_keys(self.task, self.family, self.space.active(config), self.blocks)
            )
        }

    @cached_property
    def _key_of(self) -> dict[tuple[int, int], str]:
        return {pair: key for key, pair in self.keys.items()}

    def cell(self, pair: tuple[int, int]) -> Cell:
        """The cell of a pair (config, block)."""
        seed, fold = self.blocks[pair[1]]
        return Cell(
            key=self._key_of[pair], config=dict(self.configs[pair[0]]), seed=seed, fold=fold
        )

    def shape(self, pair: tuple[int, int]) -> object:
        """Equal for pairs whose cells can be one stack."""
        return self.space.shape_key(self.configs[pair[0]])

    def axes_of(self, config: int) -> dict[str, Scalar]:
        """The axes that have an effect in a config, with their values."""
        active = self.space.active(self.configs[config])
        names = {axis.name for axis in self.space.axes}
        return {name: value for name, value in active.items() if name in names}

    @cached_property
    def labels(self) -> Labels:
        """Short readable names of all configs, no two alike."""
        active = [self.space.active(config) for config in self.configs]
        return Labels(active, [axis.name for axis in self.space.axes], self.names)

    def label(self, config: int) -> str:
        """A short readable name of a config: what varies in the sweep, and its reference name."""
        return self.labels[config]

    @cached_property
    def problem(self) -> Problem:
        """The same in numbers, for the strategy."""
        axes = self.space.axes
        position = [{value: i for i, value in enumerate(axis.values)} for axis in axes]
        features = np.full((len(self.configs), len(axes)), np.nan)
        shapes: dict[object, int] = {}
        groups = np.empty(len(self.configs), np.int64)
        for row, config in enumerate(self.configs):
            active = self.axes_of(row)
            for column, axis in enumerate(axes):
                if axis.name in active:
                    features[row, column] = position[column].get(active[axis.name], np.nan)
            groups[row] = shapes.setdefault(self.space.shape_key(config), len(shapes))
        unordered = tuple(
            i
            for i, axis in enumerate(axes)
            if any(isinstance(value, str | bool) or value is None for value in axis.values)
        )
        return Problem(
            features=features,
            shapes=groups,
            blocks=len(self.blocks),
            floor=tuple(sorted(self.names)),
            mode=self.space.mode,
            unordered=unordered,
        )


def _local(data: DataRef) -> DataRef:
    """Workers run in folders of their own: a local file's path must hold everywhere."""
    path = Path(data.name).expanduser()
    return replace(data, name=str(path.resolve())) if path.is_file() else data


def _plugin_digest(spec: SweepSpec) -> str:
    if spec.plugin is None:
        return ""
    return own_code.of_plugin(Path(spec.plugin).read_text(encoding="utf-8"))


def narrowed_space(spec: SweepSpec) -> Space:
    """The spec's space with its --set and --fix applied.

    Raises:
        ValueError: naming an unknown space, axis or value, and what is allowed.
    """
    if spec.plugin is not None:
        registry.load_plugin(Path(spec.plugin))
    space = registry.load("spaces", spec.space, "SPACE")
    if not isinstance(space, Space):
        raise InputError(f"SPACE of {spec.space!r} must be a Space, got {type(space).__name__}.")
    space = space.narrow(spec.set_axes) if spec.set_axes else space
    space = space.fix(spec.fix) if spec.fix else space
    return _with_metadata(spec, space)


def _with_metadata(spec: SweepSpec, space: Space) -> Space:
    """The space without the values of its axis `metadata` for which the data have no columns."""
    if spec.data.metadata and "metadata" not in space.kinds:
        raise InputError(
            f"Space {space.name!r} joins no metadata to its texts, got --metadata "
            f"{','.join(spec.data.metadata)}. Leave it out, or use the space 'tweets'."
        )
    axis = next((axis for axis in space.axes if axis.name == "metadata"), None)
    if spec.data.metadata or axis is None or "metadata" in spec.set_axes:
        return space  # what --set and --fix ask for is refused once the data are read
    return space.narrow({"metadata": ("none",)})


def choose_configs(
    spec: SweepSpec, space: Space
) -> tuple[tuple[Mapping[str, Scalar], ...], dict[int, str], int | None, tuple[str, ...]]:
    """Complete configs in a fixed order, reference names by index, the baseline, names left out.

    References stand first. One that the narrowed axes exclude is left out, but never the baseline:
    it is what gains are measured against.
    """
    chosen: dict[str, tuple[Mapping[str, Scalar], str | None]] = {}
    left_out = []
    references = space.references
    named = {"all": tuple(references), "reference": tuple(references), "ablation": space.ablation}
    wanted = named.get(spec.configs, ())  # a file's configs stand for themselves
    if spec.configs == "ablation" and not wanted:
        raise InputError(
            f"Space {space.name!r} names no ablation configs; use --configs reference."
        )
    if space.baseline is not None and space.baseline not in wanted:
        wanted = (space.baseline, *wanted)

    def key(config: Mapping[str, Scalar]) -> str:
        return json.dumps(space.active(config), sort_keys=True)

    for name in wanted:
        config = references[name]
        if spec.configs == "all" and name != space.baseline and not space.admits(config):
            left_out.append(name)
            continue
        complete = space.complete(config)
        chosen.setdefault(key(complete), (complete, name))
    others: Iterator[Mapping[str, Scalar]] = iter(())
    if spec.configs == "all":
        if len(space) > _MOST_CONFIGS:
            raise InputError(
                f"Space {space.name!r} has {len(space):,} configs, at most {_MOST_CONFIGS:,} can "
                "compete: narrow an axis with --set."
            )
        others = space.grid()
    elif spec.configs not in ("reference", "ablation"):
        others = read_configs(space, Path(spec.configs))
    for config in others:
        complete = space.complete(config)
        chosen.setdefault(key(complete), (complete, None))
    configs = tuple(config for config, _ in chosen.values())
    names = {i: name for i, (_, name) in enumerate(chosen.values()) if name is not None}
    baseline = next((i for i, name in names.items() if name == space.baseline), None)
    return configs, names, baseline, tuple(left_out)


def _bind_all(space: Space, configs: tuple[Mapping[str, Scalar], ...]) -> list[TrainingConfig]:
    """Each config as the trainable's Config; the first few misfits in one message."""
    trainable = Trainable.load(space.trainable)
    bound = []
    faults: dict[str, None] = {}
    for config in configs:
        try:
            bound.append(trainable.bind(config))
        except ValueError as error:
            faults[str(error)] = None
    if faults:
        shown = "\n".join(itertools.islice(faults, 10))
        raise InputError(
            f"Space {space.name!r} does not fit trainable {space.trainable!r}:\n{shown}"
        )
    return bound


def _files(space: Space, configs: Sequence[TrainingConfig]) -> dict[str, set[str]]:
    """Values by field that name further files, as the trainable's `files` says."""
    trainable = Trainable.load(space.trainable)
    found: dict[str, set[str]] = {}
    for config in configs:
        for name, value in trainable.files(config).items():
            found.setdefault(name, set()).add(value)
    return found


def _local_files(spec: SweepSpec, files: Mapping[str, set[str]]) -> SweepSpec:
    """The spec with the paths of such files made absolute: workers run in folders of their own."""
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


def rebuild(spec: SweepSpec, task: Task) -> Plan:
    """The plan of a sweep in the ledger, without reading its data or its model again."""
    space = narrowed_space(spec)
    configs, names, baseline, left_out = choose_configs(spec, space)
    return Plan(spec, space, configs, names, baseline, task, left_out)


def prepare(spec: SweepSpec) -> tuple[Plan, TextData, Audit]:
    """Read, check and bind everything; train nothing.

    Returns:
        The plan, the data that it reads, and what the audit found in them.

    Raises:
        InputError: for whatever the user can mend: a file, a column, a class too small, an unknown
            space, axis, value or model. The message says how.
    """
    check_names(spec)
    try:
        return _prepare(spec)
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(str(error)) from error


def check_names(spec: SweepSpec) -> None:
    """Refuse what needs no heavy import to be refused: names, typed values, columns of a file.

    Raises:
        InputError: as `prepare`, within a second; what this passes `prepare` may still refuse.
    """
    try:
        narrowed_space(spec)
        model_source.check_name(spec.model)
        dataset.check_names(spec.data)
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(str(error)) from error


def _prepare(spec: SweepSpec) -> tuple[Plan, TextData, Audit]:
    space = narrowed_space(spec)
    configs, names, baseline, left_out = choose_configs(spec, space)
    bound = _bind_all(space, configs)
    # Heavy imports (torch, datasets) only when the cheap checks are through.
    from trainables.engine.cells import assembly as parts
    from trainables.engine.features import named_files
    from trainables.engine.models import pretrained as encoder
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
    model = model_source.resolve(spec.model, spec.tracking_uri, spec.experiment)
    spec = spec.model_copy(update={"data": _local(spec.data), "model": model})
    data = dataset.load_data(spec.data)
    for split, seed in itertools.product(spec.splits, spec.protocol.seeds):
        folds.held_out(data, split, seed, 0)
    task = Task(
        trainable=space.trainable,
        version=Trainable.load(space.trainable).version,
        data=spec.data,
        data_fingerprint=data.fingerprint,
        model=spec.model,
        model_fingerprint=encoder.model_fingerprint(spec.model),
        split=spec.split,
        files={value: named_files.fingerprint(value) for value in sorted(files)},
        plugin=""
        if spec.plugin is None
        else own_code.of_plugin(Path(spec.plugin).read_text("utf-8")),
    )
    parts.check(task, data, bound)
    plan = Plan(spec, space, configs, names, baseline, task, left_out)
    return plan, data, audit(data)
