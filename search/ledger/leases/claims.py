"""Claims of cells that this process trains, as tags of its sweep."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from search.ledger.records import LEASE_TAGS

PREFIX = f"{LEASE_TAGS}claims."
_DIGITS = 12  # of a key: 48 bits, beside a few thousand others
_KEYS_PER_TAG = 360  # below the 5,000 characters that every server takes
_MOST_TAGS = 20


class Claims:
    """Keys of the cells that this process trains.

    A key stays until its result is in MLflow.
    """

    NAMES = tuple(f"{PREFIX}{number}" for number in range(_MOST_TAGS))

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._tags_used = 0
        self._lock = threading.Lock()

    def add(self, keys: Iterable[str]) -> None:
        """Claim cells."""
        with self._lock:
            self._keys.update(dict.fromkeys(map(short_key, keys)))

    def remove(self, keys: Iterable[str]) -> None:
        """Give cells back: they are in MLflow, or left to another."""
        with self._lock:
            for key in keys:
                self._keys.pop(short_key(key), None)

    def to_tags(self) -> dict[str, str]:
        """Tags that hold the claims; those beyond 7,200 are not told.

        Where a cell is trained twice for that, the ledger still keeps one.
        """
        with self._lock:
            keys = list(self._keys)[: _KEYS_PER_TAG * _MOST_TAGS]
        pieces = [keys[n : n + _KEYS_PER_TAG] for n in range(0, len(keys), _KEYS_PER_TAG)]
        # A tag that is no longer needed is emptied, not removed: that would be a request more.
        count = self._tags_used = max(self._tags_used, len(pieces))
        pieces += [[]] * (count - len(pieces))
        return {name: " ".join(piece) for name, piece in zip(self.NAMES, pieces, strict=False)}


def short_key(key: str) -> str:
    """End of a cell's key, as it stands in a claim."""
    return key[-_DIGITS:]
