"""Sweeps that share cells with ours: each cell is trained by one.

A driver that has neighbours writes the keys of the cells that it trains into tags of its sweep's
run, and then reads theirs. A key that both have is left to the other, and asked for again later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from search.errors import LedgerError
from search.ledger.leases.claims import PREFIX, Claims, short_key
from search.ledger.leases.drivers import FAMILY
from search.ledger.leases.lease import Lease
from search.ledger.records import LoggedCell
from search.ledger.store import RunNews, Store


class Neighbours:
    """Sweeps that may share cells with ours, asked before a stack starts.

    Args:
        store: MLflow.
        asking: Makes the context in which it may be called.
        lease: Our own sweep's, which knows the drivers of the others.
        claims: Our own claims.
        look_up: Gives the cells of a family, of these keys, that have a result now.
    """

    def __init__(
        self,
        store: Store,
        asking: Callable[[], AbstractContextManager[None]],
        lease: Lease,
        claims: Claims,
        look_up: Callable[[str, Sequence[str]], dict[str, LoggedCell]],
    ) -> None:
        self._store = store
        self._asking = asking
        self._lease = lease
        self._claims = claims
        self._look_up = look_up

    def claim(self, family: str, keys: Sequence[str]) -> tuple[dict[str, LoggedCell], set[str]]:
        """Claim cells that are about to be trained.

        Where no other sweep has trained cells of this family meanwhile, it costs nothing. A ledger
        that is away leaves all cells to us.

        Returns:
            Cells that another sweep has trained meanwhile, and keys of those that it trains now.
        """
        self._claims.add(keys)
        me = self._lease.driver
        # One that has left may have trained cells since we read the ledger.
        if me is None or not self._lease.shared:
            return {}, set()
        try:
            with self._asking():
                self._tell(me.run_id)
                # Their claims first: one is taken back when the result is there.
                busy = self._busy(family, keys)
                found = self._look_up(family, keys)
                self._claims.remove(busy | set(found))
                if busy:
                    self._tell(me.run_id)
        except LedgerError:
            return {}, set()
        return found, busy - set(found)

    def _tell(self, run_id: str) -> None:
        self._store.extend([RunNews(run_id=run_id, tags=self._claims.to_tags())])

    def _busy(self, family: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys that living drivers have claimed."""
        run_ids = {driver.run_id for driver in self._lease.neighbours}
        theirs = {
            short
            for run in self._store.runs("sweeps", FAMILY, family)
            if run.run_id in run_ids
            for name, text in run.tags.items()
            if name.startswith(PREFIX)
            for short in text.split()
        }
        return {key for key in keys if short_key(key) in theirs}
