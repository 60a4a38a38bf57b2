"""The ledger that a command works on: made by what trains, only opened by what reads."""

from __future__ import annotations

from search.errors import NoLedgerError
from search.process.folders import STATE
from search.tracking.connect import Ledger
from search.tracking_uri import check_uri, redact, sqlite_file

__all__ = ["STATE", "open_ledger"]


def open_ledger(tracking_uri: str, experiment: str, *, make: bool = False) -> Ledger:
    """The ledger at a tracking URI, reachable.

    Args:
        tracking_uri: Where it is.
        experiment: Its name.
        make: Whether to make a sqlite file that is not there.

    Raises:
        NoLedgerError: if it is a sqlite file that is not there, and is not to be made.
        InputError: if it cannot be reached or written.
    """
    check_uri(tracking_uri)
    file = sqlite_file(tracking_uri)
    if file is not None and not file.exists() and not make:
        raise NoLedgerError(
            f"No sweep in {redact(tracking_uri)} (experiment {experiment!r}) yet: there is no "
            f"file {file}. Start one with `foldrace run`, or correct --tracking-uri."
        )
    ledger = Ledger(tracking_uri, experiment, STATE / "spool")
    ledger.check()
    return ledger
