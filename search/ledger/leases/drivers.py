"""Drivers of sweeps, as the tags of a sweep's run name them.

A sweep's run has a tag `lease.driver.TOKEN` for the process that trains it, and for each that asks
to. `lease.sweep` (a digest of the sweep's name) and `lease.family` (of its cells) find these runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from search.ledger.records import LEASE_TAGS, LoggedRun

PREFIX = f"{LEASE_TAGS}driver."
SWEEP = f"{LEASE_TAGS}sweep"
FAMILY = f"{LEASE_TAGS}family"
_LONG_AGO_S = 3600.0  # far more than clocks differ
_SAME_BIRTH_S = 2.0  # psutil reckons a process' start from the boot, which may move by a little


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A process that trains a sweep, or asks to.

    Attributes:
        run_id: Run id of the sweep.
        sweep: Name of the sweep.
        token: Random name of its right to the sweep.
        writer: Name of the process in the runs of cells, see `search.ledger.store.Store`.
        host: Name of its machine.
        machine: Digest of machine, boot and container: processes of equal ones see one another.
        pid: Id of its process.
        born: Start of the process, seconds since 1970.
        since: Start of the driving by its own clock, seconds since 1970.
        number: Place in the queue for the sweep; 0 while it draws one.
        beat: Number of signs of life given so far.
        at: Time of the last of them by its own clock, seconds since 1970.
        took: Tokens of those whose place it took.
        made: True if the sweep's run was made for it.
        drives: True once it has the sweep.
    """

    run_id: str
    sweep: str
    token: str
    writer: str
    host: str
    machine: str
    pid: int
    born: float
    since: float
    number: int = 0
    beat: int = 0
    at: float = 0.0
    took: tuple[str, ...] = ()
    made: bool = False
    drives: bool = False

    @property
    def tag(self) -> str:
        """Name of its tag."""
        return PREFIX + self.token

    def to_tags(self) -> dict[str, str]:
        """Tag of the driver, by name."""
        fields = {name: value for name, value in vars(self).items() if name not in _OF_THE_RUN}
        return {self.tag: json.dumps(fields)}

    def __str__(self) -> str:
        start = datetime.fromtimestamp(self.since).astimezone()
        return f"process {self.pid} on {self.host} since {start:%Y-%m-%d %H:%M}"


_OF_THE_RUN = ("run_id", "sweep", "token")


def this_process(sweep: str, writer: str, made: bool = False) -> Driver:
    """This process as the driver of a sweep.

    The sweep's run is still to be named; `made` tells if it is made for it.
    """
    return Driver(
        run_id="",
        sweep=sweep,
        token=secrets.token_hex(8),
        writer=writer,
        host=socket.gethostname(),
        machine=_machine(),
        pid=os.getpid(),
        born=psutil.Process().create_time(),
        since=time.time(),
        at=time.time(),
        made=made,
    )


def drivers_of(runs: Iterable[LoggedRun]) -> list[Driver]:
    """Drivers that the tags of sweeps name; a damaged tag names none."""
    drivers = []
    for run in runs:
        for name, text in run.tags.items():
            if name.startswith(PREFIX):
                with suppress(ValueError, TypeError, KeyError, AttributeError):
                    drivers.append(_read(run, name.removeprefix(PREFIX), json.loads(text)))
    return drivers


def _read(run: LoggedRun, token: str, fields: Mapping[str, object]) -> Driver:
    return Driver(
        run_id=run.run_id,
        sweep=run.name,
        token=token,
        writer=str(fields["writer"]),
        host=str(fields["host"]),
        machine=str(fields["machine"]),
        pid=int(str(fields["pid"])),
        born=float(str(fields["born"])),
        since=float(str(fields["since"])),
        number=int(str(fields["number"])),
        beat=int(str(fields["beat"])),
        at=float(str(fields["at"])),
        took=tuple(map(str, fields["took"])),  # type: ignore[call-overload]
        made=bool(fields["made"]),
        drives=bool(fields["drives"]),
    )


def never_driven(run: LoggedRun) -> bool:
    """True for a run whose maker never came to drive it.

    Another was before it, and it was killed before it could delete the run.
    """
    drivers = drivers_of([run])
    return bool(drivers) and all(driver.made and not driver.drives for driver in drivers)


def lease_of(sweep: str) -> str:
    """Digest of a sweep's name, which may hold any character."""
    return hashlib.sha256(sweep.encode()).hexdigest()[:32]


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        boot += str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot = f"{psutil.boot_time():.0f}"
    return hashlib.sha256(f"{socket.gethostname()} {boot}".encode()).hexdigest()[:16]


class SignsOfLife:
    """Tells living drivers from dead ones, where clocks may differ by minutes.

    On this machine the process table says it. Of another machine's driver the count of beats must
    rise within `patience_s` of our own clock; one whose last beat is an hour old by both clocks is
    not waited for.

    Args:
        patience_s: Seconds without a beat after which a driver counts as dead.
        clock: Seconds, rising.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._time = now
        self._seen: dict[str, tuple[int, float, bool]] = {}  # token -> beat, since when, it rose
        self._here = _machine()

    def of(self, driver: Driver) -> bool | None:
        """True for a living driver, False for a dead one.

        None while that is not known.
        """
        if driver.machine == self._here:
            return _runs(driver)
        now = self._clock()
        beat, since, rose = self._seen.get(driver.token, (driver.beat, now, False))
        if driver.beat != beat:
            beat, since, rose = driver.beat, now, True
        self._seen[driver.token] = beat, since, rose
        if now - since > self._patience_s:
            return False
        if rose:
            return True
        return False if self._time() - driver.at > _LONG_AGO_S else None


def _runs(driver: Driver) -> bool:
    try:
        process = psutil.Process(driver.pid)
        reborn = abs(process.create_time() - driver.born) > _SAME_BIRTH_S
        return not reborn and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True  # it is there, and not ours to look at
