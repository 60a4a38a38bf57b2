"""MLflow as the ledger needs it: whole runs in, runs out; so that what writes knows no MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from search.ledger.records import LoggedRun

Kind = Literal["configs", "cells", "sweeps"]
"""Which of the three experiments."""

Point = tuple[str, float, int, int]
"""Of a metric: name, value, milliseconds since 1970, step."""


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run as it is to be; `status` is MLflow's, `ended_ms` None while it is RUNNING."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]
    status: str
    started_ms: int
    ended_ms: int | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunNews:
    """Values to add to a run. A parameter that it has is left out: MLflow lets none change."""

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


class Store(Protocol):
    """MLflow, as far as it is needed here.

    Every call raises RefusedError if the answer was a refusal, OSError if there was none. After an
    OSError some of what was asked for may have been done.
    """

    def ping(self) -> None:
        """Ask for the least there is; a refusal comes within seconds."""
        ...

    def runs(self, kind: Kind, tag: str | None = None, value: str = "") -> list[LoggedRun]:
        """All runs, or those whose tag has this value, newest first."""
        ...

    def find(self, kind: Kind, tag: str, values: Sequence[str]) -> Iterator[LoggedRun]:
        """All runs whose tag has one of these values, in any order; params and metrics or not."""
        ...

    def add(self, kind: Kind, runs: Sequence[NewRun]) -> list[str]:
        """New runs with all they have, each set to its status last; their ids."""
        ...

    def extend(self, news: Sequence[RunNews]) -> None:
        """More values for runs that are there."""
        ...

    def attach(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Files of a run."""
        ...

    def fetch(self, run_id: str, name: str) -> bytes | None:
        """A file of a run; None if it has no such file."""
        ...

    def history(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, list[tuple[int, float]]]]:
        """Of each run the (step, value) points of these metrics, by step."""
        ...

    def folder(self, kind: Kind) -> Path | None:
        """Where on this machine the runs' files lie; None if on a server or in a bucket."""
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
        """The end of runs, with MLflow's word for it."""
        ...

    def delete(self, run_id: str) -> None:
        """Take a run out of sight; MLflow keeps it until its garbage collection."""
        ...
