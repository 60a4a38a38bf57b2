"""Model references: an alias, a folder, a hub id, or a sweep.

`--model` takes a sweep by its name, its run id, or `latest`. A cell's key holds the digest of the
weights, so it does not matter where these were found.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import InputError, LedgerError
from search.redaction import redact
from search.tracking_uri import sqlite_file

if TYPE_CHECKING:
    from search.ledger.records import SweepRecord


FOLDER = "encoder"
"""Of a sweep's artifacts."""

_KEPT = re.compile(r"(?P<name>.+)-(?P<run_id>[0-9a-f]{32})")


def check_name(reference: str) -> None:
    """Refuse an impossible model name, without asking the ledger or hub.

    Raises:
        ModelError: naming the aliases, or what the folder lacks.
    """
    from trainables.engine.models import pretrained

    if _kept(reference) is None:
        pretrained.resolve_model(reference)


def resolve(reference: str, tracking_uri: str, experiment: str) -> str:
    """Resolve `--model` to a folder or hub id, alike in every process.

    Args:
        reference: An alias, a folder, a hub id, or a sweep: its name, its run id, or `latest`.
        tracking_uri: URI of the ledger.
        experiment: Its name.

    Returns:
        The reference; for a sweep, the folder that its encoder was fetched to.

    Raises:
        InputError: if the sweep keeps no encoder, or the ledger cannot be reached.
        ModelError: if it is none of these.
    """
    from trainables.engine.models import pretrained

    match = _kept(reference)
    if match is not None:
        run_id = match["run_id"]
        return pretrained.resolve_model(str(_fetched(tracking_uri, match["name"], run_id)))
    sweep = Path(reference).name == reference and not Path(reference).is_dir()
    if sweep and not pretrained.is_alias(reference) and _is_there(tracking_uri):
        records = sweeps_named(reference, tracking_uri, experiment)
        for record in records:
            folder = _fetched(tracking_uri, record.name, record.id, missing_is_fine=True)
            if folder is not None:
                return pretrained.resolve_model(str(folder))
        if records:
            raise InputError(
                f"Sweep {records[0].name!r} keeps no encoder: finished sweeps of the space mirror "
                "do. For a model of that name on the hub give OWNER/NAME."
            )
    return pretrained.resolve_model(reference)


def _kept(reference: str) -> re.Match[str] | None:
    """Parse the path of a fetched encoder whose folder is gone."""
    path = Path(reference)
    if path.is_dir() or path.parent != _place():
        return None
    return _KEPT.fullmatch(path.name)


def _place() -> Path:
    from trainables.engine.cache import cache_folder

    return cache_folder().absolute() / "encoders"


def _is_there(tracking_uri: str) -> bool:
    """True if there is a ledger to ask; none is made here."""
    file = sqlite_file(tracking_uri)
    return file is None or file.is_file()


def sweeps_named(reference: str, tracking_uri: str, experiment: str) -> list[SweepRecord]:
    """The sweeps that a reference names, newest first."""
    from search.errors import NoLedgerError
    from search.tracking.open import open_ledger

    try:
        with open_ledger(tracking_uri, experiment) as ledger:
            every = [record for record in ledger.sweeps() if not record.is_inner]
    except NoLedgerError:
        return []
    if reference == "latest":
        return every[:1]
    return [record for record in every if reference in (record.name, record.id)]


def _fetched(
    tracking_uri: str, name: str, run_id: str, missing_is_fine: bool = False
) -> Path | None:
    """Folder of a sweep's encoder, fetched if need be; None if allowed."""
    place = _place() / f"{name}-{run_id}"
    if place.is_dir():
        return place
    from search.tracking.artifacts import get_folder

    try:
        if get_folder(tracking_uri, run_id, FOLDER, place):
            return place
    except LedgerError as error:
        raise InputError(f"The encoder of sweep {name!r} cannot be fetched: {error}") from error
    if missing_is_fine:
        return None
    raise InputError(
        f"The run {run_id} of sweep {name!r} in {redact(tracking_uri)} has no encoder any more."
    )
