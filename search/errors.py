"""The errors of search; those of spaces and trainables are in trainables/engine/errors.py."""

from __future__ import annotations

from trainables.engine.errors import FoldraceError, InputError

__all__ = [
    "DeliveryRefusedError",
    "FoldraceError",
    "InputError",
    "LedgerError",
    "NoLedgerError",
    "NoPredictionsError",
    "SweepError",
    "SweepTakenError",
]


class NoLedgerError(InputError):
    """There is no ledger yet: nothing has been trained into it."""


class LedgerError(FoldraceError):
    """The ledger refuses, is damaged, or is away when needed.

    While cells are trained it may be away: results wait in the spool.
    """


class DeliveryRefusedError(FoldraceError):
    """The ledger answered and refused a payload; retries will hardly help."""


class NoPredictionsError(FoldraceError):
    """Predictions cannot be pooled; the message tells a leaderboard's reader why."""


class SweepError(FoldraceError):
    """Every further trial would fail alike.

    Finished cells are in the ledger.
    """


class SweepTakenError(InputError):
    """Another process drives the sweep, or did already."""
