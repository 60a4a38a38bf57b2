"""`foldrace schedule`: start the due sweeps of a file, once each.

A tick is idempotent. What fired is read from MLflow, where each firing is a sweep whose tags name
the entry, the firing and its predecessor; a lock of the entry, which ends with the process that
holds it, keeps two ticks from starting the same sweep. So a firing that was missed is caught up
once, one that was killed goes on, and one that is still running is left alone.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from search.cluster import packaging
from search.errors import FoldraceError, InputError, SweepTakenError
from search.schedule import notify
from search.schedule.quiet import Quiet, alone
from search.spec.arguments import Parse, sweep_spec
from search.spec.sweep_spec import SweepSpec
from search.tracking_uri import default_tracking_uri

if TYPE_CHECKING:
    from search.ledger.records import SweepRecord
    from search.schedule.file import Entry, Schedule

# An entry that never fired waits for its next firing; the one just before counts as that, since
# ticks come some minutes apart.
_FIRST = timedelta(minutes=15)
_RUNNING = {"PENDING", "RUNNING"}

State = Literal["waits", "fired", "resumed", "submitted", "runs", "failed"]


@dataclass(frozen=True)
class EntryStatus:
    """Outcome of a tick for one entry.

    `code` is the exit code that a failure asks for.
    """

    name: str
    state: State
    detail: str
    code: int = 0


def check_here(entry: Entry, spec: SweepSpec, *, files: bool) -> None:
    """Refuse a sweep that could never start.

    Args:
        entry: Its entry in the schedule.
        spec: The sweep.
        files: False if it starts where other files are than here.
    """
    from search.planning.chosen_space import narrowed_space
    from search.planning.prepare import check_names
    from trainables.engine.datasets import load

    try:
        if files:
            check_names(spec)
        elif spec.plugin is None:
            narrowed_space(spec)
            if not Path(spec.data.name).suffix and os.sep not in spec.data.name:
                load.check_names(spec.data)
    except InputError as error:
        raise InputError(f"sweep {entry.name!r}: {error}") from error


def utc_now() -> datetime:
    """Current time, in UTC."""
    return datetime.now(UTC)


def moment_of(text: str) -> datetime:
    """Time of a firing, from its text with a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"A firing is a time like 2026-11-21T02:00+00:00, got {text!r}."
        ) from error
    if moment.tzinfo is None:
        raise InputError(f"A firing's time must have a zone, such as +00:00, got {text!r}.")
    return moment.astimezone(UTC)


def tick(
    plan: Schedule, parse: Parse, now: datetime, tracking_uri: str | None = None
) -> list[EntryStatus]:
    """Start due sweeps and wait for them; a failure stops no other.

    Args:
        plan: The schedule.
        parse: Parser of the command line.
        now: The time.
        tracking_uri: URI of the ledger, in place of the file's.
    """
    return [tick_entry(plan, parse, entry, now, tracking_uri) for entry in plan.sweep]


def told(plan: Schedule, statuses: Sequence[EntryStatus], now: datetime) -> list[str]:
    """Tell of failures whom the file names.

    Returns a line for each try.
    """
    if plan.notify is None:
        return []
    lines = []
    for status in statuses:
        try:
            if status.state == "failed":
                line = notify.tell(plan.notified(os.environ) or "", status.name, status.detail, now)
                lines += [] if line is None else [f"{status.name}: {line}"]
            elif status.state != "runs":
                notify.forget(status.name)
        except InputError as error:
            lines.append(f"{status.name}: {error}")
    return lines


def tick_entry(
    plan: Schedule,
    parse: Parse,
    entry: Entry,
    now: datetime,
    tracking_uri: str | None = None,
    fire: datetime | None = None,
) -> EntryStatus:
    """Tick one entry.

    `fire` is a firing that a tick elsewhere found due.
    """
    try:
        with alone(entry.name) as mine:
            if not mine:
                return EntryStatus(entry.name, "runs", "another tick has it")
            uri = _uri(plan, tracking_uri)
            quiet = Quiet.of(entry.name, entry.model_dump_json(), uri, plan.experiment)
            # The clock first: MLflow takes seconds to import, and mostly there is nothing to do.
            until = quiet.until(now) if fire is None else None
            if until is not None:
                return EntryStatus(entry.name, "waits", f"next at {until.isoformat()}")
            ledger = quiet.stamp()
            status = _look(plan, parse, entry, tracking_uri, fire, now)
            if status.state == "waits" and fire is None:
                quiet.put(now, entry.next_firing(now), ledger)
            return status
    except SweepTakenError as error:  # by a tick on another machine
        return EntryStatus(entry.name, "runs", str(error))
    except FoldraceError as error:
        return EntryStatus(entry.name, "failed", str(error), error.exit_code)


def _look(
    plan: Schedule,
    parse: Parse,
    entry: Entry,
    tracking_uri: str | None,
    fire: datetime | None,
    now: datetime,
) -> EntryStatus:
    """Ask the ledger what fired, and do what is due."""
    spec = spec_of(plan, parse, entry, "check", tracking_uri)
    past = _firings(spec, entry)
    last = past[0] if past else None
    if entry.submit is not None and fire is None:
        return _submit(plan, parse, entry, spec, _due(entry, last, now))
    return _run(plan, parse, entry, tracking_uri, past, fire or _due(entry, last, now), now)


def _uri(plan: Schedule, tracking_uri: str | None) -> str:
    """The ledger: typed, of the file, of the shell."""
    return tracking_uri or plan.tracking_uri or default_tracking_uri()


def spec_of(
    plan: Schedule, parse: Parse, entry: Entry, name: str, tracking_uri: str | None
) -> SweepSpec:
    """The sweep of an entry.

    Raises:
        InputError: if its `run` is none that `foldrace run` takes.
    """
    uri = _uri(plan, tracking_uri)
    words = [*entry.words, "--name", name, "--experiment", plan.experiment, "--tracking-uri", uri]
    if entry.submit is not None:
        words += ["--ray-address", "auto"]  # it runs as a job, on the head node
    try:
        return sweep_spec(parse(words))
    except InputError as error:
        raise InputError(f"sweep {entry.name!r}: {error}") from error
    except SystemExit as error:
        raise InputError(
            f"sweep {entry.name!r}: `foldrace {shlex.join(entry.words)}` does not parse."
        ) from error


def _firings(spec: SweepSpec, entry: Entry) -> list[SweepRecord]:
    """The sweeps of an entry, newest firing first."""
    from search.errors import NoLedgerError
    from search.tracking.open import open_ledger

    try:
        ledger = open_ledger(spec.tracking_uri, spec.experiment)
    except NoLedgerError:
        return []
    with ledger:
        own = [record for record in ledger.sweeps() if record.tags.get("schedule") == entry.name]
    return sorted(own, key=lambda record: record.tags["firing"], reverse=True)


def _due(entry: Entry, last: SweepRecord | None, now: datetime) -> datetime | None:
    """The newest firing, if later than all that fired; else None."""
    firing = entry.last_firing(now)
    if last is None:
        return firing if now - firing <= _FIRST else None
    return firing if firing > moment_of(last.tags["firing"]) else None


def _run(
    plan: Schedule,
    parse: Parse,
    entry: Entry,
    tracking_uri: str | None,
    past: list[SweepRecord],
    firing: datetime | None,
    now: datetime,
) -> EntryStatus:
    from search.console.live import display
    from search.schedule.champion_update import ChampionUpdate
    from search.sweep import run

    last = past[0] if past else None
    cut = last if last is not None and last.status == "RUNNING" else None
    if cut is not None and (firing is None or moment_of(cut.tags["firing"]) == firing):
        # Nobody holds the entry's lock, so whoever ran it is gone.
        spec = spec_of(plan, parse, entry, cut.name, tracking_uri)
        succession = ChampionUpdate(entry, spec, past[1:])
        outcome = run.resume(
            cut.id,
            tracking_uri=spec.tracking_uri,
            experiment=spec.experiment,
            callbacks=[display()],
        )
        return EntryStatus(entry.name, "resumed", f"{cut.name}; {succession.settle(outcome)}")
    if firing is None or (last is not None and moment_of(last.tags["firing"]) >= firing):
        return EntryStatus(entry.name, "waits", f"next at {entry.next_firing(now).isoformat()}")
    spec = spec_of(plan, parse, entry, f"{entry.name}-{firing:%Y%m%d-%H%M}", tracking_uri)
    tags = {"schedule": entry.name, "firing": firing.isoformat()}
    if last is not None:
        tags |= {"predecessor": last.id, "predecessor_name": last.name}
    succession = ChampionUpdate(entry, spec, past)
    succession.score_champion()
    outcome = run.run(spec, tags=tags, callbacks=[display()], unique=True)
    table = outcome.table
    detail = f"{spec.name}: {table.trained} cells trained, {table.reused} from the ledger"
    return EntryStatus(entry.name, "fired", f"{detail}; {succession.settle(outcome)}")


def _submit(
    plan: Schedule,
    parse: Parse,
    entry: Entry,
    spec: SweepSpec,
    firing: datetime | None,
) -> EntryStatus:
    """Submit a firing to a cluster, whose head ticks this entry alone."""
    from search.cluster import submit

    if entry.submit is None:
        raise InputError(f"sweep {entry.name!r} names no cluster to submit it to.")
    if not spec.tracking_uri.startswith(("http://", "https://")):
        raise InputError(
            f"sweep {entry.name!r} is submitted, so its ledger must be a server that both this "
            f"machine and the cluster reach, got {spec.tracking_uri!r}."
        )
    prefix = f"foldrace-schedule-{entry.name}-"
    jobs = submit.jobs(entry.submit, prefix)
    if running := [job for job, status in jobs.items() if status in _RUNNING]:
        return EntryStatus(entry.name, "runs", f"job {running[0]}")
    if firing is None:
        when = entry.next_firing(utc_now()).isoformat()
        return EntryStatus(entry.name, "waits", f"next at {when}")
    # Ray takes an id once: of two ticks at once, on whatever machines, one starts it.
    job = f"{prefix}{firing:%Y%m%d-%H%M}"
    if job in jobs:
        return EntryStatus(
            entry.name, "failed", f"job {job} ended as {jobs[job]} without a sweep", 1
        )
    attached = submit.command(entry.words, parse)[1]
    if attached:
        raise InputError(
            f"sweep {entry.name!r} names files of this machine ({', '.join(attached)}): a "
            "scheduled job reads --plugin and --configs on the head node, so put them there."
        )
    file = f"{packaging.ATTACHED}/{plan.source.name}"
    fire = ["--fire", f"{entry.name}@{firing.isoformat()}", "--tracking-uri", spec.tracking_uri]
    submit.send(
        submit.client_of(entry.submit),
        submit.Job(
            id=job,
            words=["schedule", file, *fire],
            attached={plan.source.name: plan.source},
            folder=entry.folder,
            install=entry.install,
        ),
    )
    return EntryStatus(entry.name, "submitted", f"job {job}")
