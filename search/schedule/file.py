"""A schedule file in TOML: sweeps, their times and places.

    tracking_uri = "http://127.0.0.1:5000"     # optional, as of `foldrace run`; no password in it
    experiment = "foldrace"                    # optional

    notify = "$FOLDRACE_NOTIFY"                # optional: a URL of apprise, told of a failure

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

import re
import shlex
import tomllib
from collections.abc import Mapping
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
from search.spec.sweep_spec import SweepSpec
from search.tracking_uri import EXPERIMENT, check_form
from trainables.engine.registry import hint

EXAMPLE = """\
# foldrace schedule sweeps.toml --once      starts what is due; call it every few minutes
# foldrace schedule sweeps.toml --emit cron prints the line that calls it
# Told of a sweep that fails, by mail, Slack, webhook ...: https://github.com/caronc/apprise
# notify = "$FOLDRACE_NOTIFY"

[[sweep]]
name = "nightly"
cron = "0 2 * * *"                # minute hour day month weekday
timezone = "UTC"
run = "--data election-tweets --subset 200 --model minilm --max-cells 60"
"""
_MOST_BYTES = 2**20
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


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
    notify: str | None = None
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
    def _url_stays_here(self) -> Schedule:
        given = self.notify
        if given is not None and not _VARIABLE.fullmatch(given):
            if "://" not in given:
                raise ValueError(
                    f"notify must be a URL of apprise such as mailto://..., or $NAME of a variable "
                    f"that holds one, got {given[:40]!r}"
                )
            if any(entry.submit is not None for entry in self.sweep):
                raise ValueError(
                    "notify must name a variable, such as $FOLDRACE_NOTIFY, where a sweep is "
                    "submitted: the file goes to the cluster, where others can read it"
                )
        return self

    def notified(self, environment: Mapping[str, str]) -> str | None:
        """URL that is told of failures; None for none.

        Args:
            environment: Variables of the process.

        Raises:
            InputError: if the variable that it names is not set.
        """
        variable = self.notify and _VARIABLE.fullmatch(self.notify)
        if not variable:
            return self.notify
        url = environment.get(variable[1], "")
        if not url:
            raise InputError(f"notify = {self.notify!r}: the variable {variable[1]} is not set.")
        return url

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
            f"{'.'.join(map(str, fault['loc'])) or 'schedule'}: {_said(fault)}"
            for fault in error.errors()
        ]
        example = ["An example, as `foldrace schedule --example` prints it:", EXAMPLE.rstrip()]
        raise InputError("\n".join([f"{path}:", *faults, *example])) from error


def _said(fault: Mapping[str, Any]) -> str:
    """A fault in words, with the nearest field."""
    if fault["type"] != "extra_forbidden":
        return str(fault["msg"]).removeprefix("Value error, ")
    name, inside = str(fault["loc"][-1]), len(fault["loc"]) > 1
    known = [*(Entry if inside else Schedule).model_fields]
    near = hint(name, [one for one in known if one != "source"])
    if near or name not in SweepSpec.model_fields:
        return f"no field.{near}"
    return f'no field but a word of `run`, as in run = "--data reviews.csv --{name} ..."'
