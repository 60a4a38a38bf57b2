"""Background thread that takes results from the spool to the ledger.

Knows neither MLflow nor cells: `deliver` does the talking, and raises where it fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from search.errors import DeliveryRefusedError
from search.ledger.delivery_queue import DeliveryQueue, Job, Payload, bundled, unbundled
from search.ledger.spool import Spool

_log = logging.getLogger("foldrace.ledger")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0
_TRIES_OF_A_REFUSED = 3
# Times the patience at the end that a batch may take which is being written.
_PATIENT = 4
_MOST_IN_MEMORY = 1_000  # results that could not be spooled, because the disk is full


@dataclass(frozen=True)
class Undelivered:
    """Counts of what did not arrive.

    Attributes:
        waiting: Those on disk, which a later process delivers.
        refused: Those that were refused, or are damaged; they are set aside.
        lost: Those that were in memory only, since the disk was full.
    """

    waiting: int = 0
    refused: int = 0
    lost: int = 0


_Outcome = Literal["delivered", "refused", "down"]


class Delivery:
    """Delivers every result and the latest state of each key, through outages.

    Args:
        spool: Results that wait on disk.
        deliver: Function called in the background thread with payloads, in order, and True where an
            earlier try may have left something of them half done. Raises DeliveryRefusedError if
            one of them cannot be taken (each is then tried alone), anything else for an outage.
        update_every_s: Least time between two deliveries of one key's state.
    """

    def __init__(
        self,
        spool: Spool,
        deliver: Callable[[Sequence[Payload], bool], None],
        *,
        update_every_s: float = 2.0,
    ) -> None:
        self._spool = spool
        self._deliver = deliver
        self._changed = threading.Condition()
        self._queue = DeliveryQueue(update_every_s)
        self._current: list[Job] = []
        self._refused = 0
        self._arrived = 0
        self._began = 0.0  # the last try, by time.monotonic()
        self._pause_s = 0.0  # 0 while the other side is there
        self._flushing = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.unkept: str | None = None  # why a result could not be kept on disk

    @property
    def pending(self) -> int:
        """Number of undelivered results and states, refused ones included."""
        with self._changed:
            return self._underway() + self._refused

    @property
    def down(self) -> bool:
        """True where the last try got no answer."""
        return self._pause_s > 0

    def send(self, *results: Payload) -> None:
        """Spool results and deliver them soon.

        Returns when they are safe on disk, in one file.
        """
        payload = bundled(results)
        try:
            job = Job(name=self._spool.put(payload), size=len(results))
        except OSError as error:
            job = self._in_memory(payload, len(results), error)
        with self._changed:
            self._queue.add(job)
            self._wake()

    def update(self, key: str, payload: Payload) -> None:
        """Deliver a state within `update_every_s`, unless a later one replaces it."""
        with self._changed:
            self._queue.put(key, payload)
            self._wake()

    def adopt(self) -> int:
        """Deliver the results of dead processes, too; returns their number.

        Those may have delivered some of them: the caller must look up which are there.
        """
        names = self._spool.adopt()
        if names:
            with self._changed:
                self._queue.add(*(Job(name=name) for name in names), first=True)
                self._wake()
        return len(names)

    def waiting(self) -> Iterator[Payload]:
        """Undelivered results, read one file after another."""
        with self._changed:
            in_memory = list(self._queue.in_memory())
        yield from in_memory
        for name in self._spool.names():
            try:
                yield from unbundled(self._spool.get(name))
            except (KeyError, ValueError):
                continue  # arrived in between, or damaged: the thread will set it aside

    def flush(self, timeout_s: float) -> bool:
        """Wait until all but refused results arrived; False on a timeout."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            try:
                while self._underway() and (left := deadline - time.monotonic()) > 0:
                    self._changed.wait(left)
                return not self._underway()
            finally:
                self._flushing = False

    def close(self, patience_s: float) -> Undelivered:
        """Flush while results arrive, then stop and spool the remaining states.

        Args:
            patience_s: Seconds to wait for the next arrival; longer while a batch is written.

        Returns:
            Numbers of undelivered results and states.
        """
        while True:
            arrived = self._arrived
            done = self.flush(patience_s)
            if done or (self._arrived == arrived and not self._writes(_PATIENT * patience_s)):
                break
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        with self._changed:
            lost = len(list(self._queue.in_memory()))
            lost += sum(job.size for job in self._current if job.key is None and job.payload)
            waiting = self._underway() - lost
            states = self._queue.take_states()
        for payload in states:
            try:
                self._spool.put(payload)
            except OSError as error:
                waiting, lost = waiting - 1, lost + 1
                self._note_full(error)
        self._spool.close()
        return Undelivered(waiting, self._refused, lost)

    def _writes(self, longest_s: float) -> bool:
        """Tell if MLflow takes a batch, and not for too long."""
        with self._changed:
            return bool(self._current) and time.monotonic() - self._began < longest_s

    def _underway(self) -> int:
        return self._queue.size + sum(job.size for job in self._current)

    def _wake(self) -> None:
        """Notify the thread, which starts at the first need."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _in_memory(self, payload: Payload, size: int, error: OSError) -> Job:
        """Hold a result that the spool failed to take.

        The sweep waits rather than fill the memory.
        """
        self._note_full(error)
        with self._changed:
            while len(list(self._queue.in_memory())) >= _MOST_IN_MEMORY and not self._stopping:
                self._changed.wait(1.0)
        return Job(payload=payload, size=size)

    def _note_full(self, error: OSError) -> None:
        """Say once that results cannot be kept on disk."""
        if self.unkept is None:
            self.unkept = (
                f"Results cannot be kept in {self._spool.folder}: {error.strerror or error}."
            )
            _log.warning(
                "%s They are in memory until MLflow has them; no further cell is started.",
                self.unkept,
            )

    def _run(self) -> None:
        while jobs := self._next():
            self._began = time.monotonic()
            outcome = self._attempt(jobs)
            with self._changed:
                self._queue.took(time.monotonic() - self._began)
            self._settle(jobs, outcome)
            if outcome == "down":
                self._rest()

    def _next(self) -> list[Job]:
        """Next batch; empty when it is time to stop."""
        with self._changed:
            self._current = []
            self._changed.notify_all()
            while not self._stopping:
                self._current = self._queue.next(self._flushing)
                if self._current:
                    return self._current
                self._changed.wait(self._queue.next_due_s())
            return []

    def _attempt(self, jobs: list[Job]) -> _Outcome:
        try:
            payloads = [part for job in jobs for part in self._payloads_of(job)]
            if payloads:
                self._deliver(payloads, jobs[0].tries > 0)
        except DeliveryRefusedError as error:
            for job in jobs:
                if _given_up(job, job.tries + 1):
                    self._give_up(job, error)
            return "refused"
        except Exception as error:
            # The result is safe in the spool, and this thread must not die of any error.
            if not self.down:
                _log.warning("MLflow cannot be reached (%s); results wait on disk.", error)
            return "down"
        if self.down:
            _log.warning("MLflow is back.")
        self._pause_s = 0.0
        self._arrived += 1
        for job in jobs:
            if job.key is None and job.payload is None:
                self._spool.remove(job.name)
        return "delivered"

    def _payloads_of(self, job: Job) -> list[Payload]:
        if job.payload is not None:
            return unbundled(job.payload)
        try:
            return unbundled(self._spool.get(job.name))
        except KeyError:
            return []
        except ValueError as error:
            raise DeliveryRefusedError(f"the file is damaged: {error}") from error

    def _settle(self, jobs: list[Job], outcome: _Outcome) -> None:
        again: list[Job] = []
        for job in jobs:
            job.tries += 1
            if outcome == "down":
                again.append(job)
            elif outcome == "refused" and not _given_up(job, job.tries):
                again += self._apart(job)
        with self._changed:
            self._queue.add(*(job for job in again if job.key is None), first=True)
            for job in again:
                if job.key is not None:
                    self._queue.put_back(job)

    def _apart(self, job: Job) -> list[Job]:
        """Split a refused job into jobs of one result each.

        None suffers for another then.
        """
        job.alone = True
        try:
            parts = self._payloads_of(job)
        except DeliveryRefusedError:
            parts = []  # damaged as a whole
        job.size = 1
        if len(parts) < 2:
            return [job]
        try:
            # Were this process killed in between, some would be there twice: they have keys.
            split = [Job(name=self._spool.put(part), tries=1, alone=True) for part in parts]
        except OSError:
            split = [Job(payload=part, tries=1, alone=True) for part in parts]
        self._spool.remove(job.name)
        return split

    def _give_up(self, job: Job, error: DeliveryRefusedError) -> None:
        if job.key is not None:
            # A state can be missed: the next one of its key, or the resumed sweep's, makes it good.
            _log.warning("MLflow refused an update of %s: %s", job.key, error)
            return
        self._refused += 1
        where = "memory only" if job.payload is not None else self._spool.set_aside(job.name)
        _log.error("MLflow refused a result, now in %s: %s", where, error)

    def _rest(self) -> None:
        """Wait before the next try, longer each time.

        The wait stays short while somebody flushes.
        """
        with self._changed:
            self._current = []
            self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            began = time.monotonic()
            while not self._stopping:
                pause = _FIRST_PAUSE_S if self._flushing else self._pause_s
                left = began + pause - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)


def _given_up(job: Job, tries: int) -> bool:
    return job.alone and job.size == 1 and tries >= _TRIES_OF_A_REFUSED
