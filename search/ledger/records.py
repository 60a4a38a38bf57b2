"""Runs, cells and sweeps of the ledger, and MLflow's forms of values."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from search.errors import InputError, LedgerError
from search.redaction import redact

CELL_TAGS = ("family", "sweep", "config", "space", "data", "model")
"""Tags that the caller gives to every cell; the ledger adds cell_key, status, digest and error."""

LEASE_TAGS = "lease."
"""Prefix of the tags by which drivers of sweeps know of one another."""

NOTE = "mlflow.note.content"
"""Tag that MLflow shows as a run's description."""

_SPEC_TAG = "spec_json_"
_SPEC_PIECE = 4_000
PLUGIN_TEXT = "plugin_text"
"""Name of a plugin's text in the document of a sweep."""
_MOST_PIECES = 50
_LONGEST_TAG = 5_000  # MLflow's servers take 5,000 to 8,000 characters
_LONGEST_PARAM = 6_000
_MOST_PARAMS = 100
_UNFIT_IN_A_NAME = re.compile(r"[^\w.\- ]")


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """A run of any of the three experiments.

    `status` is MLflow's; times are milliseconds since 1970.
    """

    run_id: str
    name: str
    status: str
    started_ms: int
    ended_ms: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class LoggedCell:
    """A cell that has a result.

    Attributes:
        key: The cell's key.
        status: "done", "diverged" or "failed".
        metrics: Final metrics by name.
        config_id: Tag `config`, the config's id in the first sweep that had it.
        sweep_id: Run id of the sweep that trained it.
        seed: The cell's seed.
        fold: The cell's fold.
        params: The complete config as text, with seed and fold.
        error: Message of a failed or diverged cell.
        run_id: Run id in `NAME/cells`; None while it waits in the spool.
        digest: Digest of its metrics and predictions, see search/results/inert.py; None without
            one.
        ended_ms: End of its training, milliseconds since 1970.
        code: Digest of the code that trained it, see search/process/own_code.py; None if not
            recorded.
    """

    key: str
    status: str
    metrics: Mapping[str, float]
    config_id: str
    sweep_id: str
    seed: int
    fold: int
    params: Mapping[str, str]
    error: str | None
    run_id: str | None
    digest: str | None = None
    ended_ms: int = 0
    code: str | None = None

    @property
    def settled(self) -> bool:
        """False where training it again may give a result: it failed."""
        return self.status != "failed"

    @classmethod
    def of(
        cls,
        tags: Mapping[str, str],
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        run_id: str | None,
        ended_ms: int,
    ) -> LoggedCell:
        """Read a cell from the values of its run.

        Raises:
            KeyError: if the run lacks a value that every cell's run has.
            ValueError: if its seed or fold is no number.
        """
        return cls(
            key=tags["cell_key"],
            status=tags["status"],
            metrics=metrics,
            config_id=tags["config"],
            sweep_id=tags["sweep"],
            seed=int(params["seed"]),
            fold=int(params["fold"]),
            params=params,
            error=tags.get("error"),
            run_id=run_id,
            digest=tags.get("digest"),
            ended_ms=ended_ms,
            code=tags.get("code"),
        )


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """A sweep in `NAME/sweeps`.

    Attributes:
        id: Run id.
        name: Run name.
        spec_json: JSON that `start_sweep` was given, without the passwords of URIs.
        status: MLflow's status: RUNNING (or killed with -9), FINISHED, KILLED (interrupted),
            FAILED.
        started: Seconds since 1970.
        tags: Tags that `start_sweep` was given.
        metrics: Numbers of its summary.
    """

    id: str
    name: str
    spec_json: Mapping[str, Any]
    status: str
    started: float
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def spec(self) -> Mapping[str, Any]:
        """Fields of its spec.

        Raises:
            LedgerError: if they are damaged.
        """
        return self._part("spec")

    @property
    def task(self) -> Mapping[str, Any]:
        """Fields of its task.

        Raises:
            LedgerError: if they are damaged.
        """
        return self._part("task")

    @property
    def is_inner(self) -> bool:
        """True for a sweep inside a nested one."""
        spec = self.spec_json.get("spec")
        return isinstance(spec, Mapping) and bool(spec.get("outer"))

    def _part(self, name: str) -> Mapping[str, Any]:
        part = self.spec_json.get(name)
        if not isinstance(part, Mapping):
            raise _damaged(self.name, self.id, f"it has no {name!r}")
        return part

    @classmethod
    def of(cls, run: LoggedRun) -> SweepRecord:
        """Read a sweep from its run.

        Raises:
            LedgerError: if its spec is damaged.
        """
        return cls(
            id=run.run_id,
            name=run.name,
            spec_json=_spec_of(run),
            status=run.status,
            started=run.started_ms / 1000,
            tags={
                name: value
                for name, value in run.tags.items()
                if not name.startswith((_SPEC_TAG, LEASE_TAGS, "mlflow."))
            },
            metrics=run.metrics,
        )


def _spec_of(run: LoggedRun) -> dict[str, Any]:
    """Read the spec in a run's tags."""
    try:
        spec = json.loads(spec_text(run) or "{}")
    except (ValueError, RecursionError) as error:
        raise _damaged(run.name, run.run_id, str(error)) from error
    if not isinstance(spec, dict):
        raise _damaged(run.name, run.run_id, f"it is a {type(spec).__name__}, not an object")
    return spec


def spec_text(run: LoggedRun) -> str:
    """Text of the spec in the tags of a run."""
    return "".join(run.tags[name] for name in sorted(run.tags) if name.startswith(_SPEC_TAG))


def _damaged(sweep: str, run_id: str, why: str) -> LedgerError:
    return LedgerError(f"The spec of sweep {sweep!r} (run {run_id}) is damaged in MLflow: {why}.")


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


_Sweep = TypeVar("_Sweep", bound=_Named)


def pick_sweep(sweeps: Sequence[_Sweep], ref: str, where: str) -> _Sweep:
    """Find a sweep by name, by run id, or by `latest`.

    The newest of several is taken.

    Args:
        sweeps: Sweeps, newest first.
        ref: Name, run id or `latest`.
        where: Address of the ledger, for messages.

    Raises:
        InputError: if there is none; names the nearest.
    """
    for sweep in sweeps:
        if ref in ("latest", sweep.id, sweep.name):
            return sweep
    if not sweeps:
        raise InputError(f"No sweep in {where} yet. Start one with `foldrace run`.")
    names = list(dict.fromkeys(sweep.name for sweep in sweeps))
    near = difflib.get_close_matches(ref, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise InputError(f"No sweep {ref!r} in {where}.{hint} Known: {listed}; or `latest`.")


def tag_values(tags: Mapping[str, object]) -> dict[str, str]:
    """Tags that every MLflow server takes.

    They are cut in length, and passwords of URIs are left out.
    """
    return {name: redact(str(value))[:_LONGEST_TAG] for name, value in tags.items()}


def param_values(config: Mapping[str, Any]) -> dict[str, str]:
    """Parameters that every MLflow server takes."""
    return {name: redact(str(value))[:_LONGEST_PARAM] for name, value in config.items()}


def metric_names(names: Iterable[str]) -> dict[str, str]:
    """Name that MLflow takes for each metric.

    Equal ones are numbered (`f1_a/b` and `f1_a_b`).
    """
    fitted: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        plain = base = _UNFIT_IN_A_NAME.sub("_", name)[:200]
        number = 1
        while plain in used:
            number += 1
            plain = f"{base} {number}"
        used.add(plain)
        fitted[name] = plain
    return fitted


def redacted(value: Any) -> Any:
    """Remove the passwords of URIs from a JSON value."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): redacted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(part) for part in value]
    return value


def spec_tags(spec: Mapping[str, Any]) -> dict[str, str]:
    """Split a spec into tags of a run.

    One look-up then brings every sweep's spec.

    Raises:
        InputError: if it does not fit into 50 of them.
    """
    text = json.dumps(spec, sort_keys=True)
    starts = range(0, len(text), _SPEC_PIECE)
    if len(starts) > _MOST_PIECES:
        raise InputError(
            f"A sweep's spec may have {_SPEC_PIECE * _MOST_PIECES} characters, got {len(text)}."
        )
    return {
        f"{_SPEC_TAG}{number:03d}": text[start : start + _SPEC_PIECE]
        for number, start in enumerate(starts)
    }


def spec_params(spec: Mapping[str, Any]) -> dict[str, str]:
    """Flatten a spec into at most 100 parameters with dotted names.

    They are the columns of MLflow's UI; a plugin's text is none.
    """
    flat: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, part in value.items():
                walk(f"{prefix}.{name}" if prefix else str(name), part)
        elif value is not None and value not in ([], ()):
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            flat[_UNFIT_IN_A_NAME.sub("_", prefix)[:200]] = str(shown)[:_LONGEST_PARAM]

    walk("", {name: part for name, part in spec.items() if name != PLUGIN_TEXT})
    return dict(list(flat.items())[:_MOST_PARAMS])
