"""Protocol of a store of runs; `search/tracking` implements it with MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from search.ledger.records import LoggedRun

Kind = Literal["configs", "cells", "sweeps"]
"""Name of one of the three experiments."""

WRITER = "writer"
"""Tag of a run that takes several requests to write: `Store.writer` of the process that does."""

Point = tuple[str, float, int, int]
"""Point of a metric: name, value, milliseconds since 1970, step."""


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run to create.

    Attributes:
        name: Name of the run.
        tags: Tags by name.
        params: Parameters by name.
        points: Points of its metrics.
        status: MLflow's status.
        started_ms: Start, milliseconds since 1970.
        ended_ms: End; None while it is RUNNING.
        files: Contents by file name.
    """

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]
    status: str
    started_ms: int
    ended_ms: int | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Names of values that are asked for."""

    tags: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scan:
    """Runs that are read one after another.

    Attributes:
        several: Values of the tag `once` that more than one run may have.
        runs: The runs, in any order.
    """

    several: frozenset[str]
    runs: Iterator[LoggedRun]


@dataclass(frozen=True, kw_only=True)
class RunNews:
    """Values to add to a run.

    A parameter that the run has is left out: MLflow lets none change.
    """

    run_id: str
    points: Sequence[Point] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataDescription:
    """Data set of a sweep, as MLflow's UI shows it.

    Attributes:
        name: Short name of the data.
        fingerprint: Digest of their contents.
        source: Path, registry name or hub id that they come from.
        columns: Names of the text columns; the label's is added.
        profile: A JSON value: rows, classes.
    """

    name: str
    fingerprint: str
    source: str
    columns: Sequence[str]
    profile: Mapping[str, Any]


class _Started(Protocol):
    @property
    def run_id(self) -> str: ...
    @property
    def started_ms(self) -> int: ...


def age(run: _Started) -> tuple[int, str]:
    """Sorting key of runs; all processes keep the first of several."""
    return run.started_ms, run.run_id


class Store(Protocol):
    """MLflow, as far as the ledger needs it.

    Attributes:
        writer: Name of this process in the tag `writer` of runs that take several requests.

    Every call raises DeliveryRefusedError if the answer was a refusal, OSError if there was none.
    After an OSError some of the work may have been done.
    """

    writer: str

    def ping(self) -> None:
        """Ask for the least there is; a refusal comes within seconds."""
        ...

    def runs(self, kind: Kind, tag: str | None = None, value: str = "") -> list[LoggedRun]:
        """All runs, or those whose tag has this value, newest first."""
        ...

    def scan(
        self, kind: Kind, tag: str, value: str, wanted: Wanted, once: str | None = None
    ) -> Scan:
        """Runs whose tag has this value, one after another.

        They have the values wanted, and may have more. Made for a million of them: where it can, it
        holds a few thousand at once.

        Args:
            kind: Experiment of the runs.
            tag: Name of the tag.
            value: Its value.
            wanted: Values to read.
            once: Tag whose values are to differ from run to run; None looks at none.
        """
        ...

    def find(self, kind: Kind, tag: str, values: Sequence[str]) -> Iterator[LoggedRun]:
        """All runs whose tag has one of these values, in any order.

        They may lack params and metrics.
        """
        ...

    def add(
        self, kind: Kind, runs: Sequence[NewRun], once: str | None = None, shared: bool = False
    ) -> list[str]:
        """Create runs, each set to its status last; returns their ids.

        Args:
            kind: Experiment of the runs.
            runs: The runs; no two have the same value of `once`.
            once: Name of a tag. A run whose value a finished run has is not made; that one's id
                is returned.
            shared: Another process may write such runs now. Where a look-up takes requests, it is
                made for these alone.
        """
        ...

    def extend(self, news: Sequence[RunNews]) -> None:
        """Add values to existing runs."""
        ...

    def keep_view(self, kind: Kind, name: str, view: Mapping[str, Any]) -> None:
        """Keep a view of an experiment's runs, by name."""
        ...

    def untag(self, run_id: str, names: Sequence[str]) -> None:
        """Remove tags of a run, as far as it has them."""
        ...

    def attach(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Keep files with a run, by their paths among its artifacts."""
        ...

    def fetch(self, run_id: str, name: str) -> bytes | None:
        """Content of a run's file; None if it has no such file."""
        ...

    def history(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, list[tuple[int, float]]]]:
        """(step, value) points of these metrics for each run, by step."""
        ...

    def folder(self, kind: Kind) -> Path | None:
        """Local folder of the runs' files; None if they are elsewhere."""
        ...

    def experiment_id(self, kind: Kind) -> str | None:
        """MLflow's number of an experiment; None if there is none yet."""
        ...

    def name_data(self, run_id: str, data: DataDescription) -> None:
        """Log a data set as the input of a run."""
        ...

    def reopen(self, run_id: str) -> None:
        """Set a run RUNNING again."""
        ...

    def end(self, run_ids: Sequence[str], status: str, ended_ms: int) -> None:
        """End runs with MLflow's word for it."""
        ...

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs; MLflow keeps them until its garbage collection."""
        ...
