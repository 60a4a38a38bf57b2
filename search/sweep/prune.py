"""Removal of a sweep, and of nothing that another sweep uses.

Sweeps of one family share cells. A cell goes if no sweep that stays has it in its plan. Meanwhile
the removed sweeps are held as a driver would hold them, so that nobody resumes one; a sweep that
starts meanwhile is seen before the next cells go. The sweep's own run goes last: a removal that is
interrupted is done again, and finds the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from search.errors import FoldraceError, InputError, LedgerError
from search.ledger.leases.drivers import never_driven
from search.ledger.ledger import Ledger
from search.ledger.records import LoggedRun, SweepRecord, pick_sweep, spec_text
from search.planning.inner_plans import inner_plans, is_record_of
from search.planning.plan import Plan
from search.planning.saved_plan import of_record
from search.tracking.open import open_ledger

_AT_ONCE = 2_000  # runs, between two looks at who has started meanwhile

Told = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """A sweep in the ledger, as far as it can be read.

    Attributes:
        run: Its run.
        record: The sweep; None where its spec is damaged.
    """

    run: LoggedRun
    record: SweepRecord | None

    @property
    def id(self) -> str:
        """Run id of the sweep."""
        return self.run.run_id

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.run.name

    @property
    def family(self) -> str:
        """Family of its cells; empty where that is not known."""
        return self.run.tags.get("family", "")

    @property
    def is_inner(self) -> bool:
        """True for a sweep inside a nested one."""
        return self.record is not None and self.record.is_inner

    @cached_property
    def plan(self) -> Plan | None:
        """The plan of its spec; None where it makes none."""
        if self.record is None:
            return None
        try:
            return of_record(self.record)
        except (FoldraceError, OSError):
            return None


@dataclass(kw_only=True)
class Removal:
    """Runs that go, and those that stay.

    Attributes:
        sweeps: The sweep, then its inner ones.
        configs: Run ids of their configs.
        cells: Run ids of the cells that go, by key or run id.
        stay: Number of their cells that another sweep needs, by its name.
        kept: Reason why a sweep's own run stays, by run id.
        notes: Sentences on what could not be told, and therefore stays.
    """

    sweeps: Sequence[Member]
    configs: Sequence[str] = ()
    cells: dict[str, list[str]] = field(default_factory=dict)
    stay: dict[str, int] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def cell_runs(self) -> list[str]:
        """Run ids of the cells that go."""
        return [run_id for runs in self.cells.values() for run_id in runs]

    @property
    def sweep_runs(self) -> list[str]:
        """Run ids of the sweeps that go."""
        return [sweep.id for sweep in self.sweeps if sweep.id not in self.kept]

    @property
    def runs(self) -> int:
        """Number of runs that go."""
        return len(self.configs) + len(self.cell_runs) + len(self.sweep_runs)


def survey(uri: str, experiment: str, ref: str) -> Removal:
    """Say what would go and what stays; change nothing.

    Args:
        uri: Tracking URI of the ledger.
        experiment: Its name.
        ref: Sweep by name, by run id, or `latest`.

    Raises:
        InputError: if there is no such sweep, or it is inside a nested one.
    """
    with open_ledger(uri, experiment) as ledger:
        members = _members(ledger)
        return _removal(ledger, uri, members, _chosen(ledger, members, ref))


def prune(uri: str, experiment: str, ref: str, told: Told) -> Removal:
    """Remove a sweep; returns what went and what stays.

    Args:
        uri: Tracking URI of the ledger.
        experiment: Its name.
        ref: Sweep by name, by run id, or `latest`.
        told: Told the numbers of runs that are gone, and that go.

    Raises:
        InputError: as `survey`.
        SweepTakenError: if a driver of the sweep, or of its family, lives.
        LedgerError: if MLflow is away, or lacks results that wait on disk.
    """
    with ExitStack() as open_ones:
        ledger = open_ones.enter_context(open_ledger(uri, experiment))
        sweeps = _chosen(ledger, _members(ledger), ref)
        ledger.check_quiet({sweep.family for sweep in sweeps})
        for sweep in sweeps:
            # One ledger holds one sweep.
            holder = open_ones.enter_context(open_ledger(uri, experiment))
            holder.hold_sweep(sweep.id, sweep.name, sweep.family)
        if waiting := ledger.take_in():
            raise LedgerError(
                f"{ledger.where} lacks {waiting} results that wait on disk, and may be of this "
                "sweep. Nothing was removed; `foldrace doctor` says where they are."
            )
        members = _members(ledger)
        removal = _removal(ledger, uri, members, sweeps)
        _remove(ledger, removal, {member.id for member in members}, told)
        return removal


def _members(ledger: Ledger) -> list[Member]:
    members = []
    for run in ledger.runs("sweeps"):
        if never_driven(run):
            continue
        try:
            record = SweepRecord.of(run)
        except LedgerError:
            record = None
        members.append(Member(run=run, record=record))
    return members


def _chosen(ledger: Ledger, members: Sequence[Member], ref: str) -> list[Member]:
    """The sweep that is named, and its own inner ones."""
    named = [m for m in members if not m.is_inner] if ref == "latest" else members
    sweep = pick_sweep(named, ref, ledger.where)
    outer = {m.id: m.plan for m in members if not m.is_inner and _has_inner(m, members)}
    owners: dict[str, list[Member]] = {}
    for member in members:
        plan = outer.get(member.id)
        for inner in [] if plan is None or plan.spec.folds is None else inner_plans(plan):
            for other in members:
                if (
                    other.record is not None
                    and other.is_inner
                    and is_record_of(other.record, inner)
                ):
                    owners.setdefault(other.id, []).append(member)
    if own := owners.get(sweep.id):
        raise InputError(
            f"Sweep {sweep.name!r} is part of the nested cross-validation of {own[0].name!r}, and "
            f"goes with it: foldrace prune {own[0].name}"
        )
    return [sweep, *(m for m in members if owners.get(m.id) == [sweep])]


def _has_inner(member: Member, members: Sequence[Member]) -> bool:
    return any(m.is_inner and m.name.startswith(f"{member.name}-nested-") for m in members)


def _removal(
    ledger: Ledger, uri: str, members: Sequence[Member], sweeps: Sequence[Member]
) -> Removal:
    gone = {sweep.id for sweep in sweeps}
    others = [member for member in members if member.id not in gone]
    removal = Removal(sweeps=sweeps, kept=_kept(uri, sweeps, others))
    removal.configs = [
        run.run_id for run in ledger.runs("configs") if run.tags.get("sweep") in gone
    ]
    by_family: dict[str, list[Member]] = {}
    for sweep in sweeps:
        by_family.setdefault(sweep.family, []).append(sweep)
        if sweep.plan is None:
            removal.notes.append(
                f"The plan of {sweep.name!r} cannot be read: of its cells those go that it trained "
                "itself; inner sweeps, if there are any, stay."
            )
    for family, own in by_family.items():
        _add_cells(ledger, removal, own, others, family)
    return removal


def _kept(uri: str, sweeps: Sequence[Member], others: Sequence[Member]) -> dict[str, str]:
    """Sweeps whose own run and files stay, each with the reason."""
    from search.tracking.model_registry import made_of  # which imports MLflow

    models = made_of(uri, [sweep.id for sweep in sweeps])
    kept = {sweep: f"the registered model {model} is made of it" for sweep, model in models.items()}
    for sweep in sweeps:
        for other in others:
            # An encoder that a sweep left is named after that sweep's run.
            if sweep.id in spec_text(other.run):
                kept.setdefault(sweep.id, f"sweep {other.name!r} uses its encoder")
        schedule = sweep.run.tags.get("schedule")
        its = [m for m in (*sweeps, *others) if schedule and m.run.tags.get("schedule") == schedule]
        for tag, why in (("firing", "fired last"), ("champion", "has its champion")):
            fired = [m for m in its if tag in m.run.tags]
            if fired and max(fired, key=lambda m: m.run.tags.get("firing", "")) is sweep:
                kept.setdefault(sweep.id, f"of the schedule {schedule!r} it is the one that {why}")
    return kept


def _add_cells(
    ledger: Ledger,
    removal: Removal,
    own: Sequence[Member],
    others: Sequence[Member],
    family: str,
) -> None:
    """Add the cells of a family that go."""
    ids, keys = {sweep.id for sweep in own}, _keys(own)
    unread = [m for m in others if m.family in (family, "") and m.plan is None]
    needed = [(m, _keys([m])) for m in others if m.family == family and m not in unread]
    runs: dict[str, list[LoggedRun]] = {}
    for run in ledger.runs("cells", "family", family):
        key = run.tags.get("cell_key") or run.run_id
        if key in keys or run.tags.get("sweep") in ids:
            runs.setdefault(key, []).append(run)
    for member, theirs in needed:
        if count := len(theirs & runs.keys()):
            removal.stay[member.name] = removal.stay.get(member.name, 0) + count
    if unread:
        names = ", ".join(repr(member.name) for member in unread)
        removal.notes.append(
            f"{len(runs):,} cells stay: the plan of {names}, on the same data and model, cannot be "
            "read, and may have them."
        )
        return
    spared = {key for _, theirs in needed for key in theirs}
    for key, several in runs.items():
        if key not in spared:
            removal.cells[key] = [run.run_id for run in several]


def _keys(members: Sequence[Member]) -> set[str]:
    plans = (member.plan for member in members)
    return {key for plan in plans if plan is not None for key in plan.keys}


def _remove(ledger: Ledger, removal: Removal, known: Collection[str], told: Told) -> None:
    """Delete the runs, the sweeps' own last."""
    seen, gone, every = set(known), 0, removal.runs
    told(0, every)
    for part in _pieces(removal.configs):
        ledger.delete(part)
        told(gone := gone + len(part), every)
    left = set(removal.cells)
    for keys in _pieces(list(removal.cells)):
        for member in _members(ledger):
            if member.id not in seen:
                seen.add(member.id)
                left -= _spare(removal, member, left)
        part = [run_id for key in keys if key in left for run_id in removal.cells[key]]
        ledger.delete(part)
        left -= set(keys)
        told(gone := gone + len(part), every)
    ledger.delete(removal.sweep_runs)
    told(every, every)


def _spare(removal: Removal, member: Member, left: Collection[str]) -> set[str]:
    """Keys that a sweep needs which has started meanwhile: their cells stay."""
    plan = member.plan
    theirs = {key for key in left if plan is None or key in plan.keys}
    if theirs:
        removal.stay[member.name] = removal.stay.get(member.name, 0) + len(theirs)
    for key in theirs:
        del removal.cells[key]
    return theirs


def _pieces(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
