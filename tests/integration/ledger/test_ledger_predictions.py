"""Predictions by the hundred, and the files of a sweep, from a real MLflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.errors import LedgerError
from search.ledger.ledger import Ledger
from search.results.sweep_labels import FILE, SweepLabels
from tests.integration.ledger_cells import FAMILY, Opener, key_of, record, result

pytestmark = pytest.mark.integration


def test_the_predictions_of_many_cells_come_in_the_order_asked(open_ledger: Opener) -> None:
    ledger = open_ledger()
    for number in range(6):
        record(ledger, number)
    assert ledger.flush(30)
    reader = open_ledger()
    reader.known_cells(FAMILY)
    wanted = [4, 0, 5, 2]
    for number, (rows, given) in zip(
        wanted, reader.predictions_of([key_of(n) for n in wanted]), strict=True
    ):
        np.testing.assert_array_equal(rows, result(number).rows)
        np.testing.assert_array_equal(given, result(number).probabilities)


def test_those_that_still_wait_in_the_spool_are_among_them(
    open_ledger: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    assert ledger.flush(30)

    def down(*_: object) -> None:
        raise ConnectionError("down")

    monkeypatch.setattr(ledger._writer, "deliver", down)
    monkeypatch.setattr(ledger._delivery, "_deliver", down)
    record(ledger, 2)
    found = list(ledger.predictions_of([key_of(2), key_of(1)]))
    np.testing.assert_array_equal(found[0][1], result(2).probabilities)
    np.testing.assert_array_equal(found[1][1], result(1).probabilities)
    monkeypatch.undo()


def test_a_server_s_files_are_fetched(open_ledger: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger()
    for number in range(3):
        record(ledger, number)
    assert ledger.flush(30)
    assert isinstance(ledger._store.folder("cells"), Path)
    # As behind a server: no folder to look into.
    monkeypatch.setattr(ledger._store, "folder", lambda kind: None)
    found = list(ledger.predictions_of([key_of(n) for n in range(3)]))
    np.testing.assert_array_equal(found[2][1], result(2).probabilities)


def test_a_cell_that_is_not_there_or_lost_its_file_is_named(open_ledger: Opener) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    assert ledger.flush(30)
    with pytest.raises(LedgerError, match=f"No finished cell '{key_of(9)}'"):
        list(ledger.predictions_of([key_of(1), key_of(9)]))
    folder = ledger._store.folder("cells")
    assert folder is not None
    (file,) = folder.rglob("predictions.npz")
    file.unlink()
    with pytest.raises(LedgerError, match="has no predictions"):
        list(ledger.predictions_of([key_of(1)]))


def test_a_sweep_keeps_its_labels(open_ledger: Opener) -> None:
    ledger: Ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {}}, {})
    assert ledger.file(sweep, FILE) is None
    truth = SweepLabels(np.array([0, 1, 1]), np.array([0, 1, 1]), ("Zürich", "b"))
    ledger.attach(sweep, {FILE: truth.to_bytes()})
    kept = ledger.file(sweep, FILE)
    assert kept is not None
    again = SweepLabels.from_bytes(kept)
    np.testing.assert_array_equal(again.labels, truth.labels)
    np.testing.assert_array_equal(again.groups, truth.groups)
    assert again.label_names == truth.label_names


def test_a_damaged_file_of_labels_is_said() -> None:
    with pytest.raises(LedgerError, match=r"labels\.npz of the sweep is damaged"):
        SweepLabels.from_bytes(b"PK nonsense")
