"""A schedule file in TOML: sweeps, their times and places.

    tracking_uri = "http://127.0.0.1:5000"     # optional, as of `foldrace run`; no password in it
    experiment = "foldrace"                    # optional

    [[sweep]]
    name = "nightly-tweets"
    cron = "0 2 * * *"
    timezone = "Europe/Warsaw"
    run = "softtriple --data /shared/tweets.csv --text body --label author --model minilm"
    submit = "http://HEAD:8265"                # optional: as a job there, else on this machine
    install = false                            # optional: the nodes have the environment
    folder = "~/foldrace-sweeps"               # optional: of the sweep on the head node
    registered_model = "tweet-author"          # optional: whose alias `champion` may move

Cron expressions are read by cronsim: it does only this, is typed and without dependencies, is kept
by the author of Healthchecks.io, and follows Debian's cron where clocks change (a firing in the
hour that is left out comes right after it; one in the hour that comes twice fires once).
"""

from __future__ import annotations

import shlex
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from search.checks.fields import judged
from search.checks.names import MODEL_NAME, NAME
from search.checks.urls import DASHBOARD
from search.cluster.options import FOLDER
from search.errors import InputError
from search.redaction import holds_secret
from search.tracking_uri import EXPERIMENT, check_form

_MOST_BYTES = 2**20


class Entry(BaseModel):
    """One recurring sweep; the module's docstring names its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    cron: str
    timezone: str = "UTC"
    run: Annotated[str, Field(min_length=1)]
    submit: Annotated[str, judged(DASHBOARD)] | None = None
    install: bool = True
    folder: str = FOLDER
    registered_model: Annotated[str, judged(MODEL_NAME)] | None = None

    @field_validator("run")
    @classmethod
    def _run_is_a_command(cls, value: str) -> str:
        try:
            shlex.split(value)
        except ValueError as error:
            raise ValueError(
                f"must be words as a shell takes them ({error}), got {value[:200]!r}"
            ) from error
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"must be a time zone like Europe/Warsaw, got {value!r}") from error
        return value

    @field_validator("cron")
    @classmethod
    def _cron_is_sound(cls, value: str) -> str:
        try:
            if len(value.split()) != 5:
                raise CronSimError("not five fields")
            next(CronSim(value, datetime(2024, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            raise ValueError(
                f"must be minute hour day month weekday and fire some day, got {value!r} ({error})"
            ) from error
        return value

    @property
    def words(self) -> list[str]:
        """The command, as a shell would split it."""
        return ["run", *shlex.split(self.run)]

    def last_firing(self, now: datetime) -> datetime:
        """The newest firing up to and including `now`, in UTC."""
        return self._firing(now.replace(microsecond=0) + timedelta(seconds=1), reverse=True)

    def next_firing(self, now: datetime) -> datetime:
        """The first firing after `now`, in UTC."""
        return self._firing(now, reverse=False)

    def _firing(self, at: datetime, *, reverse: bool) -> datetime:
        local = at.astimezone(ZoneInfo(self.timezone))
        return next(CronSim(self.cron, local, reverse=reverse)).astimezone(UTC)


class Schedule(BaseModel):
    """All entries of a file, and their ledger.

    `source` is the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking_uri: str | None = None
    experiment: Annotated[str, judged(NAME)] = EXPERIMENT
    sweep: tuple[Entry, ...]
    source: Path

    @field_validator("tracking_uri")
    @classmethod
    def _uri_holds_no_password(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if holds_secret(value):
            raise ValueError(
                "must hold no password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        try:
            check_form(value)
        except InputError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Schedule:
        if not self.sweep:
            raise ValueError("must hold at least one [[sweep]], got none")
        names = [entry.name for entry in self.sweep]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each sweep must have a name of its own, got twice: {twice}")
        return self


def read_schedule(path: Path) -> Schedule:
    """Read a schedule, all its faults in one message.

    Raises:
        InputError: naming each faulty field, what was found and what is allowed.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} has more than {_MOST_BYTES} bytes: no schedule has.")
        fields: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Schedule(**{**fields, "source": path})
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML file: {error}.") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'schedule'}: "
            f"{fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise InputError(f"{path}:\n" + "\n".join(faults)) from error
