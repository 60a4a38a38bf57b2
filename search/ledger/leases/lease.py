"""Lease of a sweep: one process drives it.

MLflow compares and swaps nothing. So drivers queue as in Lamport's bakery (CACM 17:8, 1974), with
tags of the sweeps' runs as registers: write that one draws a number, read all numbers, write the
next higher one, read again, and wait for those that still draw. The lowest number drives; all
others are refused. A driver then gives signs of life until it lets go.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from types import MappingProxyType

from search.errors import FoldraceError, SweepTakenError
from search.ledger.leases.claims import Claims
from search.ledger.leases.drivers import (
    FAMILY,
    SWEEP,
    Driver,
    SignsOfLife,
    drivers_of,
    lease_of,
    this_process,
)
from search.ledger.store import RunNews, Store

_log = logging.getLogger("foldrace.ledger")

BEAT_S = 5.0
PATIENCE_S = 60.0  # a locked database or a server that starts anew delays beats by up to 30 s
# Beats: the first may have begun before we were there to be seen, the second sees us, and the third
# tells of all cells that were begun before the second ended.
_NOTICED_AFTER = 3


class Lease:
    """The right of this process to drive one sweep.

    Args:
        store: MLflow.
        asking: Makes the context in which the store may be called.
        beat_s: Seconds between two signs of life.
        patience_s: Seconds without one after which another machine's driver counts as dead.
        claims: Cells that this process trains, told to neighbours at each beat.
    """

    def __init__(
        self,
        store: Store,
        asking: Callable[[], AbstractContextManager[None]],
        *,
        beat_s: float = BEAT_S,
        patience_s: float = PATIENCE_S,
        claims: Claims | None = None,
    ) -> None:
        self._store = store
        self._asking = asking
        self._beat_s = beat_s
        self._patience_s = patience_s
        self._signs = SignsOfLife(patience_s)
        self._claims = Claims() if claims is None else claims
        self._me: Driver | None = None
        self._family = ""
        self._lost: str | None = None
        self._neighbours: tuple[Driver, ...] = ()
        self._met = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> str | None:
        """Sentence on who took the sweep over; None while it is ours."""
        return self._lost

    @property
    def neighbours(self) -> tuple[Driver, ...]:
        """Living drivers of other sweeps that may share cells with this one."""
        return self._neighbours

    @property
    def shared(self) -> bool:
        """True once another process may have written cells of ours."""
        return self._met

    @property
    def driver(self) -> Driver | None:
        """This process as the driver; None without a sweep."""
        return self._me

    def take(
        self,
        sweep: str,
        family: str,
        start: Callable[[Mapping[str, str]], str],
        *,
        own_run: bool,
        take_over: bool = False,
    ) -> str:
        """Become the driver of a sweep, with signs of life.

        Args:
            sweep: Name of the sweep; it is the name that has one driver.
            family: Family of its cells.
            start: Gives these tags to the sweep's run, which it may have to make; returns its id.
            own_run: True if `start` makes the run, which is deleted where another drives.
            take_over: Take the place of a driver that lives.

        Returns:
            Run id of the sweep.

        Raises:
            SweepTakenError: naming the process that drives it.
        """
        self.release()
        rivals = self._rivals(sweep)
        if not take_over:
            advice = " If it is dead, --take-over spares the wait."
            self._refuse_if_driven(lambda: self._rivals(sweep), rivals, _taken, advice)
        self._family = family
        me = this_process(sweep, self._store.writer, own_run)
        me = replace(me, run_id=start(self._tags(me)))
        others = [driver for driver in self._rivals(sweep) if driver.token != me.token]
        number = 1 + max((driver.number for driver in others), default=0)
        me = replace(me, number=number, took=tuple(driver.token for driver in rivals))
        self._write(me)
        if (first := self._first_in_queue(me)) is not None:
            self._withdraw(me, own_run)
            raise _taken(first)
        me = replace(me, drives=True)
        self._write(me)
        for driver in rivals:
            with suppress(FoldraceError):  # its run may have been deleted meanwhile
                self._forget(driver, keep=me.run_id)
                if driver.made and not driver.drives and driver.run_id != me.run_id:
                    with self._asking():
                        self._store.delete([driver.run_id])
        self._me, self._lost = me, None
        self._met = bool(rivals)
        self._stop.clear()
        self._thread = threading.Thread(target=self._beats, name="lease", daemon=True)
        self._thread.start()
        self._wait_to_be_noticed()
        return me.run_id

    def driver_of(self, sweep: str) -> tuple[Driver | None, bool | None]:
        """Driver of a sweep by name, if any.

        With it True if it lives, False if not, None while that is not known.
        """
        drivers = [driver for driver in self._rivals(sweep) if driver.drives]
        lives = {driver.token: self._signs.of(driver) for driver in drivers}
        order = {True: 0, None: 1, False: 2}
        drivers.sort(key=lambda driver: (order[lives[driver.token]], -driver.since))
        return (drivers[0], lives[drivers[0].token]) if drivers else (None, None)

    def check_free(self, sweep: str) -> None:
        """Refuse a sweep whose driver is known to live, without a wait.

        Raises:
            SweepTakenError: naming that driver.
        """
        for driver in self._rivals(sweep):
            if self._signs.of(driver):
                raise _taken(driver)

    def check_quiet(self, families: Collection[str]) -> None:
        """Refuse while a sweep of these families has a driver.

        One of whom nothing is known is watched for up to a minute.

        Raises:
            SweepTakenError: naming a driver that lives.
        """

        def of_families() -> list[Driver]:
            return [driver for name in families for driver in self._drivers(FAMILY, name)]

        self._refuse_if_driven(of_families, of_families(), _in_use)

    def release(self) -> None:
        """Let go of the sweep.

        Where the ledger is away, others find out by the missing process.
        """
        me, self._me = self._me, None
        if me is None:
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        self._neighbours = ()
        with suppress(FoldraceError):
            beside = [d for d in self._rivals(me.sweep) if d.run_id == me.run_id]
            alone = all(driver.token == me.token for driver in beside)
            self._forget(me, keep=None if alone and beside else me.run_id)

    def _drivers(self, tag: str, value: str) -> list[Driver]:
        with self._asking():
            return drivers_of(self._store.runs("sweeps", tag, value))

    def _rivals(self, sweep: str) -> list[Driver]:
        return self._drivers(SWEEP, lease_of(sweep))

    def _tags(self, driver: Driver) -> dict[str, str]:
        return {SWEEP: lease_of(driver.sweep), FAMILY: self._family, **driver.to_tags()}

    def _write(self, driver: Driver, more: Mapping[str, str] = MappingProxyType({})) -> None:
        tags = {**self._tags(driver), **more}
        with self._asking():
            self._store.extend([RunNews(run_id=driver.run_id, tags=tags)])

    def _forget(self, driver: Driver, keep: str | None = None) -> None:
        """Remove a driver's tags; its run keeps its own if `keep`."""
        with self._asking():
            own = [] if driver.run_id == keep else [SWEEP, FAMILY, *Claims.NAMES]
            self._store.untag(driver.run_id, [driver.tag, *own])

    def _refuse_if_driven(
        self,
        read: Callable[[], list[Driver]],
        rivals: list[Driver],
        refusal: Callable[[Driver], SweepTakenError],
        advice: str = "",
    ) -> None:
        """Watch drivers of whom nothing is known; raise for a living one.

        Args:
            read: Reads the drivers anew.
            rivals: Drivers as they were read first.
            refusal: Makes the error.
            advice: Ends the line that tells of the wait.
        """
        told = False
        while rivals:
            lives = {driver.token: self._signs.of(driver) for driver in rivals}
            living = [driver for driver in rivals if lives[driver.token]]
            if living:
                raise refusal(living[0])
            unknown = [driver for driver in rivals if lives[driver.token] is None]
            if not unknown:
                return
            if not told:
                told = True
                _log.warning(
                    "Sweep %r has a driver (%s): waiting up to a minute for a sign of life.%s",
                    unknown[0].sweep,
                    unknown[0],
                    advice,
                )
            time.sleep(min(1.0, self._beat_s))
            now = {driver.token: driver for driver in read()}
            rivals = [now[driver.token] for driver in rivals if driver.token in now]

    def _first_in_queue(self, me: Driver) -> Driver | None:
        """Another that is before us, or None; waits for those who draw."""
        while True:
            others = [
                driver
                for driver in self._rivals(me.sweep)
                if driver.token != me.token
                and driver.token not in me.took
                and self._signs.of(driver) is not False
            ]
            place = (me.number, me.token)
            before = [d for d in others if d.number and (d.number, d.token) < place]
            if before:
                return min(before, key=lambda driver: (driver.number, driver.token))
            if all(driver.number for driver in others):
                return None
            time.sleep(min(0.1, self._beat_s))

    def _withdraw(self, me: Driver, own_run: bool) -> None:
        if own_run:
            with self._asking():
                self._store.delete([me.run_id])
        else:
            with self._asking():
                self._store.untag(me.run_id, [me.tag])

    def _wait_to_be_noticed(self) -> None:
        """Wait until the neighbours look out for us."""
        met = {driver.token: driver.beat for driver in self._look()}
        if met:
            _log.warning(
                "Another sweep trains cells of the same data and model (%s): each cell is trained "
                "by one of the two. It takes up to %.0f s until both know.",
                self._neighbours[0],
                (_NOTICED_AFTER + 1) * self._beat_s,
            )
        deadline = time.monotonic() + self._patience_s
        while met and time.monotonic() < deadline:
            time.sleep(min(0.5, self._beat_s))
            beats = {driver.token: driver.beat for driver in self._look()}
            met = {
                token: beat
                for token, beat in met.items()
                if token in beats and beats[token] < beat + _NOTICED_AFTER
            }

    def look_around(self, family: str) -> None:
        """Note the living drivers of a family's sweeps, without being one."""
        self._family = family
        self._look()

    def _look(self) -> tuple[Driver, ...]:
        """Read who else drives sweeps of our family."""
        own = "" if self._me is None else self._me.run_id
        others = [d for d in self._drivers(FAMILY, self._family) if d.run_id != own]
        self._neighbours = tuple(d for d in others if self._signs.of(d) is not False)
        self._met |= bool(self._neighbours)
        return self._neighbours

    def _beats(self) -> None:
        while not self._stop.wait(self._beat_s):
            # A ledger that is away hears the next one.
            with suppress(FoldraceError, OSError):
                if not self._beat():
                    return

    def _beat(self) -> bool:
        """Give a sign of life; False once the sweep is another's."""
        me = self._me
        if me is None:
            return False
        queue = {driver.token: driver for driver in self._rivals(me.sweep)}
        takers = [driver for driver in queue.values() if me.token in driver.took]
        if takers or me.token not in queue:
            by = f"by {takers[0]}" if takers else "by another process"
            self._lost = f"Sweep {me.sweep!r} was taken over {by}; this process stops training it."
            self._met = True
            return False
        more = self._claims.to_tags() if self._look() else {}
        self._me = me = replace(me, beat=me.beat + 1, at=time.time())
        if not self._stop.is_set():
            self._write(me, more)
        return True


def _taken(driver: Driver) -> SweepTakenError:
    return SweepTakenError(
        f"Sweep {driver.sweep!r} is being trained by {driver}. Wait for it or end that process; "
        "choose another --name for a sweep beside it; or add --take-over if it hangs."
    )


def _in_use(driver: Driver) -> SweepTakenError:
    return SweepTakenError(
        f"Sweep {driver.sweep!r} is being trained by {driver}, on the data and model of what is to "
        "be removed. Wait for it or end that process."
    )
