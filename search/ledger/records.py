"""What the ledger gives back: runs, cells, sweeps; and how their values are written in MLflow."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.errors import InputError, LedgerError
from search.tracking_uri import redact

CELL_TAGS = ("family", "sweep", "config", "space", "data", "model")
"""Tags that the caller gives to every cell; the ledger adds cell_key, status, digest and error."""

_SPEC_TAG = "spec_json_"
_SPEC_PIECE = 4_000
_MOST_PIECES = 50
_LONGEST_TAG = 5_000  # MLflow's servers take 5,000 to 8,000 characters
_LONGEST_PARAM = 6_000
_MOST_PARAMS = 100
_UNFIT_IN_A_NAME = re.compile(r"[^\w.\- ]")


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """A run of any of the three experiments; `status` is MLflow's, times are ms since 1970."""

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
        config_id: Tag `config`: which config of its first sweep it was.
        sweep_id: Run id of the sweep that trained it.
        seed: The cell's seed.
        fold: The cell's fold.
        params: The complete config as text, with seed and fold.
        error: The message of a failed or diverged cell.
        run_id: In `NAME/cells`; None while it waits in the spool.
        digest: Of its metrics and predictions, see search/results/inert.py; None if it has none.
        ended_ms: When its training ended, milliseconds since 1970.
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
        """Whether training it again could give nothing new: a failed cell may fare better."""
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
        """A cell out of what its run holds.

        Raises:
            KeyError: if the run lacks what every cell's run has.
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
        id: Its run id.
        name: Its run name.
        spec_json: As given to `start_sweep`, without the passwords of URIs.
        status: MLflow's: RUNNING (or killed with -9), FINISHED, KILLED (interrupted), FAILED.
        started: Seconds since 1970.
        tags: As given to `start_sweep`.
        metrics: The numbers of its summary.
    """

    id: str
    name: str
    spec_json: Mapping[str, Any]
    status: str
    started: float
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @classmethod
    def of(cls, run: LoggedRun) -> SweepRecord:
        """A sweep out of its run.

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
                if not name.startswith((_SPEC_TAG, "mlflow."))
            },
            metrics=run.metrics,
        )


def _spec_of(run: LoggedRun) -> Any:
    """The spec out of the pieces in a run's tags; empty without any."""
    pieces = [run.tags[name] for name in sorted(run.tags) if name.startswith(_SPEC_TAG)]
    try:
        return json.loads("".join(pieces) or "{}")
    except json.JSONDecodeError as error:
        raise LedgerError(
            f"The spec of sweep {run.name!r} (run {run.run_id}) is damaged in MLflow: {error}."
        ) from error


def pick_sweep(sweeps: Sequence[SweepRecord], ref: str, where: str) -> SweepRecord:
    """The first sweep of a name, the one of a run id, or with `latest` the first of all.

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
    """Tags without the passwords of URIs, cut to what every MLflow server takes."""
    return {name: redact(str(value))[:_LONGEST_TAG] for name, value in tags.items()}


def param_values(config: Mapping[str, Any]) -> dict[str, str]:
    """A config as MLflow's parameters."""
    return {name: redact(str(value))[:_LONGEST_PARAM] for name, value in config.items()}


def metric_names(names: Iterable[str]) -> dict[str, str]:
    """Each name as MLflow takes it; equal ones are numbered (`f1_a/b` and `f1_a_b`)."""
    fitted: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = base = _UNFIT_IN_A_NAME.sub("_", name)[:200]
        number = 1
        while plain in taken:
            number += 1
            plain = f"{base} {number}"
        taken.add(plain)
        fitted[name] = plain
    return fitted


def redacted(value: Any) -> Any:
    """A JSON value without the passwords of the URIs in it."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): redacted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(part) for part in value]
    return value


def spec_tags(spec: Mapping[str, Any]) -> dict[str, str]:
    """A spec in pieces that fit into tags, so that one look-up brings every sweep's spec.

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
    """A spec's values under dotted names, for the columns of the UI; 100 of them at most."""
    flat: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, part in value.items():
                walk(f"{prefix}.{name}" if prefix else str(name), part)
        elif value is not None and value not in ([], ()):
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            flat[_UNFIT_IN_A_NAME.sub("_", prefix)[:200]] = str(shown)[:_LONGEST_PARAM]

    walk("", spec)
    return dict(list(flat.items())[:_MOST_PARAMS])
