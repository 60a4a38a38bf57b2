"""One background thread that brings results from the spool to the ledger until they are there.

Knows neither MLflow nor cells: `deliver` does the talking, and raises where it fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from search.spool import Spool

_log = logging.getLogger("foldrace.ledger")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0
_TRIES_OF_A_REFUSED = 3
_MOST_IN_MEMORY = 1_000  # results that could not be spooled, because the disk is full

Payload = Mapping[str, Any]
_Outcome = Literal["delivered", "refused", "down"]


class RefusedError(Exception):
    """The ledger answered, and would not have this payload: more tries will hardly help."""


@dataclass
class _Job:
    """A result (`name` in the spool, or `payload` if it is not there) or a state (`key`)."""

    name: str = ""
    key: str | None = None
    payload: Payload | None = None
    due: float = 0.0  # time.monotonic() from which on a state may go
    tries: int = 0


class Delivery:
    """Delivers each result, and the latest state of each key; goes on trying during an outage.

    Args:
        spool: Where results wait.
        deliver: Called in the background thread with a payload, and whether an earlier try may have
            left something half done. Raises RefusedError if this payload cannot be taken, anything
            else for an outage.
        update_every_s: The least time between two deliveries of one key's state.
    """

    def __init__(
        self,
        spool: Spool,
        deliver: Callable[[Payload, bool], None],
        *,
        update_every_s: float = 2.0,
    ) -> None:
        self._spool = spool
        self._deliver = deliver
        self._update_every_s = update_every_s
        self._changed = threading.Condition()
        self._results: deque[_Job] = deque()
        self._states: dict[str, _Job] = {}
        self._sent_at: dict[str, float] = {}
        self._current: _Job | None = None
        self._refused = 0
        self._arrived = 0
        self._pause_s = 0.0  # 0 while the other side is there
        self._flushing = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """How many results and states have not arrived; refused ones count."""
        with self._changed:
            return self._underway() + self._refused

    @property
    def down(self) -> bool:
        """Whether the last try found nobody on the other side."""
        return self._pause_s > 0

    def send(self, payload: Payload) -> None:
        """Spool a result and deliver it soon; returns when it is safe on disk."""
        try:
            job = _Job(name=self._spool.put(payload))
        except OSError as error:
            job = self._kept_in_memory(payload, error)
        with self._changed:
            self._results.append(job)
            self._wake()

    def update(self, key: str, payload: Payload) -> None:
        """Deliver this state within `update_every_s`, unless a later one replaces it before."""
        with self._changed:
            due = max(time.monotonic(), self._sent_at.get(key, 0.0) + self._update_every_s)
            tries = self._states[key].tries if key in self._states else 0
            self._states[key] = _Job(key=key, payload=payload, due=due, tries=tries)
            self._wake()

    def adopt(self) -> int:
        """Deliver what processes that are gone left in the spool, too; returns how many.

        They may have delivered some of it: it is for the caller to look up what is there.
        """
        names = self._spool.adopt()
        if names:
            with self._changed:
                self._results.extendleft(_Job(name=name) for name in reversed(names))
                self._wake()
        return len(names)

    def waiting(self) -> list[Payload]:
        """The results that have not arrived."""
        with self._changed:
            payloads = [job.payload for job in self._results if job.payload is not None]
        for name in self._spool.names():
            try:
                payloads.append(self._spool.get(name))
            except (KeyError, ValueError):
                continue  # arrived in between, or damaged: the thread will set it aside
        return payloads

    def flush(self, timeout_s: float) -> bool:
        """Wait until all but the refused has arrived; False if the time ended before."""
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

    def close(self, patience_s: float) -> int:
        """Flush for as long as things arrive, stop the thread, spool the states that are left.

        Args:
            patience_s: How long to wait for the next arrival.

        Returns:
            How many did not arrive; they are on disk.
        """
        while True:
            arrived = self._arrived
            if self.flush(patience_s) or self._arrived == arrived:
                break
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        with self._changed:
            count = self._underway() + self._refused
            left = [job.payload for job in self._states.values() if job.payload is not None]
            self._states.clear()
        for payload in left:
            try:
                self._spool.put(payload)
            except OSError as error:
                _log.warning("cannot write to %s: %s", self._spool.folder, error)
        self._spool.close()
        return count

    def _underway(self) -> int:
        return len(self._results) + len(self._states) + (self._current is not None)

    def _wake(self) -> None:
        """Tell the thread; it starts at the first need, so that a mere reader has none."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _kept_in_memory(self, payload: Payload, error: OSError) -> _Job:
        """Where the spool fails, memory is all there is; the sweep waits rather than fill it."""
        _log.warning("cannot write a result to %s: %s", self._spool.folder, error)
        with self._changed:
            while (
                sum(job.payload is not None for job in self._results) >= _MOST_IN_MEMORY
                and not self._stopping
            ):
                self._changed.wait(1.0)
        return _Job(name=f"memory-{time.time_ns()}", payload=payload)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            outcome = self._attempt(job)
            self._settle(job, outcome)
            if outcome == "down":
                self._rest()

    def _next(self) -> _Job | None:
        """The next job, results and due states in turn; None when it is time to stop."""
        with self._changed:
            last_was_result = self._current is not None and self._current.key is None
            self._current = None
            self._changed.notify_all()
            while not self._stopping:
                key, wait_s = self._next_state()
                if self._results and (key is None or not last_was_result):
                    self._current = self._results.popleft()
                elif key is not None:
                    self._current = self._states.pop(key)
                    self._sent_at[key] = time.monotonic()
                if self._current is not None:
                    return self._current
                self._changed.wait(wait_s)
            return None

    def _next_state(self) -> tuple[str | None, float | None]:
        """Key of a state that may go now, or else the seconds until one may, if there is any."""
        if not self._states:
            return None, None
        key, job = min(self._states.items(), key=lambda item: item[1].due)
        wait_s = job.due - time.monotonic()
        return (key, None) if self._flushing or wait_s <= 0 else (None, wait_s)

    def _attempt(self, job: _Job) -> _Outcome:
        try:
            payload = job.payload if job.payload is not None else self._spooled(job.name)
            if payload is not None:
                self._deliver(payload, job.tries > 0)
        except RefusedError as error:
            if job.tries + 1 >= _TRIES_OF_A_REFUSED:
                self._give_up(job, error)
            return "refused"
        except Exception as error:
            # Whatever it is, the result is safe in the spool, and this thread must not die.
            if not self.down:
                _log.warning("MLflow cannot be reached (%s); results wait on disk.", error)
            return "down"
        if self.down:
            _log.warning("MLflow is back.")
        self._pause_s = 0.0
        self._arrived += 1
        if job.key is None and job.payload is None:
            self._spool.remove(job.name)
        return "delivered"

    def _spooled(self, name: str) -> Payload | None:
        try:
            return self._spool.get(name)
        except KeyError:
            return None
        except ValueError as error:
            raise RefusedError(f"the file is damaged: {error}") from error

    def _settle(self, job: _Job, outcome: _Outcome) -> None:
        job.tries += 1
        with self._changed:
            done = outcome == "delivered" or (
                outcome == "refused" and job.tries >= _TRIES_OF_A_REFUSED
            )
            if done:
                return
            if job.key is None:
                self._results.appendleft(job)
            elif job.key not in self._states:
                self._states[job.key] = job
            else:
                self._states[job.key].tries += job.tries  # a later state has come meanwhile

    def _give_up(self, job: _Job, error: RefusedError) -> None:
        if job.key is not None:
            # A state can be missed: the next one of its key, or the resumed sweep's, makes it good.
            _log.warning("MLflow refused an update of %s: %s", job.key, error)
            return
        self._refused += 1
        where = "memory only" if job.payload is not None else self._spool.set_aside(job.name)
        _log.error("MLflow refused a result, now in %s: %s", where, error)

    def _rest(self) -> None:
        """Wait before the next try, longer each time; not long while somebody flushes."""
        with self._changed:
            self._current = None
            self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            began = time.monotonic()
            while not self._stopping:
                pause = _FIRST_PAUSE_S if self._flushing else self._pause_s
                left = began + pause - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)
