"""Space: the axes, fixed values, inert rules and references of a sweep.

A config is a plain dict from name to scalar. `grid` and `point` give configs over the axes alone;
`complete` adds the fixed values; `active` keeps what has an effect: that goes into a cell's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

from spaces.schema import faults, searching
from spaces.schema.axis import Axis
from spaces.schema.grid import Grid
from spaces.schema.inert import Inert
from spaces.schema.naming import Names
from spaces.schema.scalar import FrozenMapping, Scalar
from trainables.engine.errors import SpaceError

# These may differ within a stack, whatever the trainable; see `Trainable.stack_group`.
_PER_CELL = (
    "learning_rate",
    "weight_decay",
    "warmup_fraction",
    "epochs",
    "clip_norm",
    "inner_share",
    "patience",
    "layer_decay",
)

__all__ = ["Axis", "Inert", "Scalar", "Space", "SpaceError"]


@dataclass(frozen=True, kw_only=True)
class Space:
    """A search space: frozen, hashable, and JSON both ways.

    Attributes:
        name: Name of the space.
        trainable: Name of the trainable whose Config the names are of.
        axes: Axes that are searched; the first one changes slowest in the grid.
        fixed: Values of every other field of the Config.
        source: Paper, section and table that the grid is from.
        objective: Metric that ranks configs, best when "max" or "min", as `mode` says.
        inert: Rules for parameters without effect. A rule counts only while the parameters in its
            `when` have an effect themselves, and stands after the rules that decide that.
        references: Named configs, in order; each names the axes that have an effect in it. They may
            leave the grid, as the cross-entropy baseline beta = 1 does.
        baseline: Name of the reference that gains are measured against.
        ablation: Names of the references that are the rows of the paper's ablation, in its order.
        shape: Names of parameters that decide the shapes of tensors and the number of steps.
        yielding: Names of axes whose value in a reference is a starting value. `fix` replaces it,
            unless it switches other parameters off.
        cleaning: Cleaning steps of the texts, in order, where a sweep names none of its own.
        added: Parameters that came later -> the value that trained what there was before; at it a
            cell's key is that of a cell without the parameter.
        alike: Parameters whose values train alike on some data -> those data, in words: equal
            results are no fault then.

    Raises:
        SpaceError: with all faults of the declaration in one message.
    """

    name: str
    trainable: str
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Scalar]
    source: str
    objective: str = "accuracy"
    mode: Literal["max", "min"] = "max"
    inert: tuple[Inert, ...] = ()
    references: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    baseline: str | None = None
    ablation: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    yielding: tuple[str, ...] = ()
    cleaning: tuple[str, ...] = ()
    added: Mapping[str, Scalar] = field(default_factory=dict)
    alike: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        references = {name: FrozenMapping(config) for name, config in self.references.items()}
        for name, value in (
            ("axes", tuple(self.axes)),
            ("fixed", FrozenMapping(self.fixed)),
            ("inert", tuple(self.inert)),
            ("references", FrozenMapping(references)),
            ("ablation", tuple(self.ablation)),
            ("shape", tuple(self.shape)),
            ("yielding", tuple(self.yielding)),
            ("cleaning", tuple(self.cleaning)),
            ("added", FrozenMapping(self.added)),
            ("alike", FrozenMapping(self.alike)),
        ):
            object.__setattr__(self, name, value)
        # References are tried only on a space that is sound without them.
        messages = list(self._faults()) or list(
            faults.of_references(self.references, self.baseline, self.ablation, self.complete)
        )
        if messages:
            raise SpaceError(f"Space {self.name!r} is not well formed.\n" + "\n".join(messages))

    def _faults(self) -> Iterator[str]:
        labels = ("name", "trainable", "objective", "source")
        yield from faults.of_labels({label: getattr(self, label) for label in labels}, self.mode)
        rules = tuple(name for rule in self.inert for name in (*rule.when, *rule.axes))
        lists = {"shape": self.shape, "yielding": self.yielding, "An inert rule": rules}
        lists |= {"added": tuple(self.added), "alike": tuple(self.alike)}
        yield from faults.of_names(self.axes, self.fixed, lists)
        yield from faults.of_values(self.axes, self.fixed)
        yield from faults.of_rules(self.inert)

    @cached_property
    def _grid(self) -> Grid:
        return Grid(self.name, self.axes)

    @cached_property
    def _names(self) -> Names:
        referred: dict[str, frozenset[type]] = {}
        for config in (*self.references.values(), self.added):
            for name, value in config.items():
                referred[name] = referred.get(name, frozenset()) | {type(value)}
        return Names(self.name, self.axes, self.fixed, referred)

    def __len__(self) -> int:
        """Number of points of the grid.

        Raises:
            SpaceError: if an axis is continuous.
        """
        return self._grid.size

    def grid(self) -> Iterator[dict[str, Scalar]]:
        """Yield every point, in the order of `point`."""
        return iter(self._grid)

    def point(self, index: int) -> dict[str, Scalar]:
        """Return the config at an index of the grid, without walking there.

        Raises:
            SpaceError: if the index is not in [0, len(space)).
        """
        return self._grid.point(index)

    def index(self, config: Mapping[str, Scalar]) -> int:
        """Return the index of a config in the grid.

        Names beside the axes are passed over.

        Raises:
            SpaceError: naming the axis that the config lacks, or whose value is off the grid.
        """
        return self._grid.index(config)

    @property
    def kinds(self) -> dict[str, frozenset[type]]:
        """Types that the values of each axis and fixed name may have."""
        return self._names.kinds

    @cached_property
    def _defaults(self) -> dict[str, Scalar]:
        """Values of parameters without effect: the first or the fixed one."""
        return {axis.name: axis.first for axis in self.axes} | dict(self.fixed)

    @cached_property
    def _searched(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @cached_property
    def _rules(self) -> list[tuple[list[tuple[str, tuple[Scalar, ...]]], tuple[str, ...]]]:
        return [(list(rule.when.items()), rule.axes) for rule in self.inert]

    def _resolve(self, config: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], set[str]]:
        """Return the complete config, and its names without effect.

        Run for every cell of a sweep.
        """
        names, kinds = self._names, self._names.kinds
        values, missing = self._defaults.copy(), set(self._searched)
        for name, value in config.items():
            if name not in kinds:
                raise SpaceError(names.unknown(name, "parameter", kinds))
            values[name] = value if type(value) in kinds[name] else names.read(name, value)
            missing.discard(name)
        idle: set[str] = set()
        for when, without in self._rules:
            for name, triggers in when:
                if name in idle or name in missing or values[name] not in triggers:
                    break
            else:
                idle.update(without)
        for name in idle:
            values[name] = self._defaults[name]
        if not missing <= idle:
            lacking = ", ".join(repr(name) for name in self._searched if name in missing - idle)
            raise SpaceError(f"A config of space {self.name!r} lacks {lacking}.")
        return values, idle

    def complete(self, config: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return a config with every axis and fixed value.

        Values of the config go before fixed ones. Parameters without effect take their first or
        fixed value, so that configs that mean the same become equal.

        Raises:
            SpaceError: if a name is not of the space, a value is of another type than its axis, or
                an axis that has an effect is not given.
        """
        return self._resolve(config)[0]

    def active(self, config: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the complete config without parameters of no effect.

        Configs of equal trainings become equal.
        """
        values, idle = self._resolve(config)
        for name in idle:
            del values[name]
        return values

    def keyed(self, active: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the parameters of an active config that make a cell's key.

        Those that came later are left out where they change nothing.
        """
        added = self.added
        return {n: v for n, v in active.items() if n not in added or v != added[n]}

    def shape_key(self, config: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
        """Return a key, equal for configs that can share a stack.

        It holds None for a name without effect.
        """
        values, idle = self._resolve(config)
        return tuple(None if name in idle else values[name] for name in self.shape)

    def admits(self, config: Mapping[str, Scalar]) -> bool:
        """Return True for a config on the grid with the fixed values.

        Parameters without effect may have any value.
        """
        values, idle = self._resolve(config)
        on_grid = all(axis.name in idle or axis.has(values[axis.name]) for axis in self.axes)
        return on_grid and all(values[name] == value for name, value in self.fixed.items())

    def narrow(self, axes: Mapping[str, Iterable[Scalar]]) -> Space:
        """Return the space with only some values of some axes.

        Axes keep the order of their values.

        Args:
            axes: Name or paper's symbol of an axis -> values, or their words, or "10,100".

        Raises:
            SpaceError: naming each unknown axis and each value that is not of its axis.
        """
        return replace(self, axes=self._names.narrow(axes))

    def search(self, axes: Mapping[str, Iterable[Scalar]]) -> Space:
        """Return the space with any parameters searched over any values.

        An axis takes values beside its own. A fixed value of which several are named becomes an
        axis; named alone, it is fixed. References keep their own values.

        Args:
            axes: Name, or an axis's symbol -> values, or their words, or "10,100", or a range:
                "1e-6..1e-3", or "1e-6..1e-3:log" on a logarithmic scale.

        Raises:
            SpaceError: naming each unknown name and each value of a wrong type.
        """
        names = searching.searched(self._names, axes)
        kept = {name: self.fixed[name] for name in names.new}
        space = replace(
            self,
            axes=names.axes,
            fixed={name: value for name, value in self.fixed.items() if name not in kept},
            references={name: {**kept, **config} for name, config in self.references.items()},
            shape=(*self.shape, *(n for n in names.new if n not in (*self.shape, *_PER_CELL))),
        )
        return space.fix(names.fixed) if names.fixed else space

    def beyond(self, axes: Mapping[str, Iterable[Scalar]]) -> dict[str, str]:
        """Return the values for `search` that the space lacks, as text.

        Raises:
            SpaceError: as `search`.
        """
        return searching.beyond(self._names, searching.searched(self._names, axes))

    @property
    def ranges(self) -> tuple[str, ...]:
        """Names of the axes that have no list of values."""
        return tuple(axis.name for axis in self.axes if axis.interval is not None)

    def sampled(self) -> Space:
        """Return the space with points in place of ranges.

        The values of references are among them.
        """
        return replace(self, axes=searching.sampled(self.axes, self.references.values()))

    def fix(self, values: Mapping[str, Scalar]) -> Space:
        """Return the space with other fixed values.

        An axis that is given a value is no longer searched.

        Args:
            values: Name of a fixed value, or name or symbol of an axis -> value, or its word. The
                value must be of the right type; it need not be one of the axis's own.

        Raises:
            SpaceError: naming each unknown name and each value of a wrong type.
        """
        chosen = self._names.fix(values)
        axes = tuple(axis for axis in self.axes if axis.name not in chosen)
        references = {
            reference: {
                name: value
                for name, value in config.items()
                if name not in chosen or not self._yields(name, config)
            }
            for reference, config in self.references.items()
        }
        fixed = {**self.fixed, **chosen}
        return replace(self, axes=axes, fixed=fixed, references=references)

    def _yields(self, name: str, reference: Mapping[str, Scalar]) -> bool:
        """Return True where a reference's value gives way to a fixed one."""
        values = {**self.fixed, **reference}
        switches = any(
            name in rule.when
            and all(values.get(other) in triggers for other, triggers in rule.when.items())
            for rule in self.inert
        )
        return name in self.yielding and not switches

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which `from_json` makes an equal space."""
        value = {item.name: getattr(self, item.name) for item in fields(self)}
        return value | {
            "axes": [axis.to_json() for axis in self.axes],
            "fixed": dict(self.fixed),
            "inert": [rule.to_json() for rule in self.inert],
            "references": {name: dict(config) for name, config in self.references.items()},
            "ablation": list(self.ablation),
            "shape": list(self.shape),
            "yielding": list(self.yielding),
            "cleaning": list(self.cleaning),
            "added": dict(self.added),
            "alike": dict(self.alike),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Space:
        """Return the space that `to_json` wrote.

        Raises:
            SpaceError: if a field is missing or unknown, or the space is not well formed.
        """
        names = {item.name for item in fields(cls)}
        value = {"added": {}, "alike": {}, **value}  # spaces of before
        if set(value) != names:
            raise SpaceError(
                f"A space in JSON has the fields {', '.join(sorted(names))}; missing: "
                f"{sorted(names - set(value))}, unknown: {sorted(set(value) - names)}."
            )
        parts = {
            "axes": tuple(Axis.from_json(axis) for axis in value["axes"]),
            "inert": tuple(Inert.from_json(rule) for rule in value["inert"]),
        }
        return cls(**{**value, **parts})
