"""Queue of results, in order, and states, when due.

Not safe for threads by itself: search/ledger/delivery.py holds its lock around every call.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Payload = Mapping[str, Any]

# Delivered at once: enough that a database's commit is a small share, few enough that a look-up
# does not wait long for its turn. Where they take less than so many seconds, more.
MOST_AT_ONCE = 128
_SECONDS_AT_ONCE, _TIMES_AS_MANY = 2.0, 8.0
# States take a third of the time at most while results wait.
_STATES_REST = 2.0
_BUNDLE = "bundle"


def bundled(results: Sequence[Payload]) -> Payload:
    """Join several results into one JSON value."""
    return results[0] if len(results) == 1 else {_BUNDLE: list(results)}


def unbundled(payload: Payload) -> list[Payload]:
    """Split a value made by `bundled`."""
    parts: list[Payload] = payload.get(_BUNDLE, [payload])
    return parts


@dataclass
class Job:
    """Results, spooled or in memory, or the state of a key.

    Attributes:
        name: Name in the spool of results that are there.
        key: Key of a state; None for results.
        payload: State, or results that are not in the spool.
        size: Number of results, as far as is known.
        due: Value of time.monotonic() from which on a state may go.
        tries: Number of failed deliveries.
        alone: True after a refusal, perhaps because of another in its batch.
    """

    name: str = ""
    key: str | None = None
    payload: Payload | None = None
    size: int = 1
    due: float = 0.0
    tries: int = 0
    alone: bool = False

    def goes_with(self, other: Job) -> bool:
        """True where both may share a batch.

        New jobs go with new ones, tried ones with tried ones.
        """
        return not (self.alone or other.alone) and bool(self.tries) == bool(other.tries)


class DeliveryQueue:
    """Results in order of arrival, and the latest state of each key.

    Args:
        update_every_s: Least time between two deliveries of one key's state.
    """

    def __init__(self, update_every_s: float) -> None:
        self._update_every_s = update_every_s
        self._results: deque[Job] = deque()
        self._states: dict[str, Job] = {}
        self._sent_at: dict[str, float] = {}
        self._states_free_at = 0.0  # time.monotonic() until which states leave results the turn
        self._last_was_result = False
        self._last_size = 0
        self._times = 1.0  # so often MOST_AT_ONCE

    @property
    def size(self) -> int:
        """Number of waiting results and states."""
        return sum(job.size for job in self._results) + len(self._states)

    def in_memory(self) -> Iterator[Payload]:
        """Results that are not in the spool."""
        for job in self._results:
            if job.payload is not None:
                yield from unbundled(job.payload)

    def add(self, *jobs: Job, first: bool = False) -> None:
        """Enqueue results, behind all others or before them."""
        if first:
            self._results.extendleft(reversed(jobs))
        else:
            self._results.extend(jobs)

    def put(self, key: str, payload: Payload) -> None:
        """Enqueue a state in place of an earlier one of its key."""
        due = max(time.monotonic(), self._sent_at.get(key, -math.inf) + self._update_every_s)
        old = self._states.get(key, Job())
        self._states[key] = Job(key=key, payload=payload, due=due, tries=old.tries, alone=old.alone)

    def put_back(self, job: Job) -> None:
        """Enqueue an undelivered state again, unless a later one has come."""
        later = self._states.setdefault(str(job.key), job)
        if later is not job:
            later.tries += job.tries
            later.alone |= job.alone

    def take_states(self) -> list[Payload]:
        """Remove and return all states."""
        states = [job.payload for job in self._states.values() if job.payload is not None]
        self._states.clear()
        return states

    def took(self, seconds: float) -> None:
        """Note the seconds that the last batch took."""
        if not self._last_was_result:
            self._states_free_at = time.monotonic() + _STATES_REST * seconds
        elif self._last_size:
            fit = _SECONDS_AT_ONCE * self._last_size / max(seconds, 1e-3)
            self._times = min(max(fit / MOST_AT_ONCE, 1.0), _TIMES_AS_MANY)

    def next(self, flushing: bool) -> list[Job]:
        """Next batch, results and states in turn; empty while none is due.

        Args:
            flushing: True to send states before they are due.
        """
        now = time.monotonic()
        states = [job for job in self._states.values() if flushing or job.due <= now]
        their_turn = self._last_was_result and now >= self._states_free_at
        if self._results and not (states and their_turn):
            self._last_was_result = True
            return self._next_results()
        if states:
            self._last_was_result = False
            return self._next_states(states, now)
        return []

    def next_due_s(self) -> float | None:
        """Seconds until a state is due; None if there is none."""
        if not self._states:
            return None
        return max(min(job.due for job in self._states.values()) - time.monotonic(), 0.0)

    def _next_results(self) -> list[Job]:
        batch = [self._results.popleft()]
        size = batch[0].size
        most = int(self._times * MOST_AT_ONCE)
        while self._results and self._results[0].goes_with(batch[0]):
            more = self._results[0].size
            if size + more > most:
                break
            size += more
            batch.append(self._results.popleft())
        self._last_size = size
        return batch

    def _next_states(self, ready: list[Job], now: float) -> list[Job]:
        ready.sort(key=lambda job: job.due)
        first = ready[0]
        batch = [first, *(job for job in ready[1:MOST_AT_ONCE] if job.goes_with(first))]
        for job in batch:
            key = str(job.key)
            del self._states[key]
            self._sent_at[key] = now
        return batch
