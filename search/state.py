"""What a run needs around it: a ledger that answers, and a disk with room for results."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.ledger import Ledger
from search.spec import InputError

# Where a run keeps what is not yet in the ledger; below the folder that it is started in.
STATE = Path(".foldrace")


def open_ledger(tracking_uri: str, experiment: str) -> Ledger:
    """The ledger at a tracking URI, reachable.

    Raises:
        InputError: if it cannot be reached or written.
    """
    ledger = Ledger(tracking_uri, experiment, STATE / "spool")
    try:
        ledger.check()
    except ValueError as error:
        raise InputError(str(error)) from error
    return ledger


@contextmanager
def enough_disk(folder: Path) -> Iterator[None]:
    """Refuse to start on a full disk: a sweep that cannot write would train for nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < 200 * 2**20:
        raise InputError(
            f"The disk of {folder.resolve()} has {free / 2**20:.0f} MiB left, a sweep needs at "
            "least 200 MiB for results. Free some, or start it in another folder."
        )
    yield
