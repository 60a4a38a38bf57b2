"""Lock of a schedule's entry, and its note of quiet.

They lie beside the ledger.

A tick that finds nothing due leaves a note beside the entry's lock. The next one reads the note and
the clock, and imports neither MLflow nor Ray. A note holds for its entry and its ledger as they
were: of a local file as long as that is untouched, of a server for an hour.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from search.process.folders import STATE
from search.tracking_uri import sqlite_file

FOLDER = STATE / "schedule"
_SERVER_HOLDS = timedelta(hours=1)


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Lock an entry; yields False if another process holds it.

    The lock dies with its process.
    """
    from filelock import FileLock, Timeout

    FOLDER.mkdir(parents=True, exist_ok=True)
    lock = FileLock(FOLDER / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@dataclass(frozen=True)
class Quiet:
    """The note of one entry.

    Attributes:
        path: File of the note.
        key: Digest of the entry, its ledger and its experiment; another key makes the note void.
        uri: URI of the ledger.
    """

    path: Path
    key: str
    uri: str

    @classmethod
    def of(cls, name: str, entry_json: str, uri: str, experiment: str) -> Quiet:
        """The note of an entry.

        Args:
            name: Name of the entry.
            entry_json: All that the file says of it.
            uri: URI of its ledger.
            experiment: Its MLflow experiment.
        """
        text = json.dumps([entry_json, uri, experiment])
        key = hashlib.sha256(text.encode()).hexdigest()
        return cls(FOLDER / f"{name}.json", key, uri)

    def until(self, now: datetime) -> datetime | None:
        """Next firing, if nothing is due before it; else None."""
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
            until = datetime.fromisoformat(note["until"])
            looked = datetime.fromisoformat(note["looked"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if note.get("key") != self.key or not looked <= now < until:
            return None
        stamp = self.stamp()
        if stamp is None:
            return until if now - looked <= _SERVER_HOLDS else None
        return until if note.get("ledger") == stamp else None

    def put(self, looked: datetime, until: datetime, ledger: Sequence[int] | None) -> None:
        """Note that nothing is due before a moment.

        Args:
            looked: When the ledger was asked.
            until: The next firing.
            ledger: Stamp taken by `stamp` before the ledger was asked.
        """
        note = {
            "key": self.key,
            "looked": looked.astimezone(UTC).isoformat(),
            "until": until.isoformat(),
            "ledger": ledger,
        }
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(note), encoding="utf-8")
        draft.replace(self.path)

    def stamp(self) -> list[int] | None:
        """Changes when a local ledger does; None for a server."""
        file = sqlite_file(self.uri)
        if file is None:
            return None
        times = []
        for path in (file, Path(f"{file}-wal")):
            if path.is_file():
                stat = path.stat()
                times += [stat.st_mtime_ns, stat.st_size]
        return times
