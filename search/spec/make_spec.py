"""Specs made of fields, all faults in one message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from search.checks.fields import SAVED
from search.errors import InputError, LedgerError
from search.formatting import shortened
from search.spec.sweep_spec import SweepSpec


def make_spec(**fields: Any) -> SweepSpec:
    """Build a SweepSpec, all its faults in one message.

    Raises:
        InputError: naming each faulty field, what was found and what is allowed.
    """
    return _built(fields, None)


def changed(spec: SweepSpec, **fields: Any) -> SweepSpec:
    """A saved spec with other fields; the rest is not judged again.

    Raises:
        InputError: as `make_spec`.
    """
    return _built({**dict(spec), **fields}, SAVED)


def _built(fields: Mapping[str, Any], context: dict[str, Any] | None) -> SweepSpec:
    try:
        return SweepSpec.model_validate(fields, context=context)
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"])  # of the whole spec: none
            value = (
                ""
                if fault["type"] == "missing" or fault["loc"] in ((), ("tracking_uri",))
                else f", got {shortened(repr(fault['input']), 200)}"
            )
            message = fault["msg"].removeprefix("Value error, ")
            named = f"{where}: {message}" if where else message
            lines.append(f"{named}{'' if 'got' in message else value}")
        raise InputError("\n".join(lines)) from error


def saved_spec(fields: Mapping[str, Any]) -> SweepSpec:
    """The spec of a sweep, as the ledger has it.

    Raises:
        LedgerError: naming the sweep, if this version of foldrace cannot read it.
    """
    try:
        return SweepSpec.model_validate(fields, context=SAVED)
    except ValidationError as error:
        name = fields.get("name")
        raise LedgerError(f"The spec of sweep {name!r} cannot be read: {error}") from error
