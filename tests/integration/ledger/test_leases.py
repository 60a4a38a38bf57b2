"""One driver for a sweep: the second is refused, or takes over; the first notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from search.errors import LedgerError, SweepTakenError
from search.ledger import sweep_log
from search.ledger.leases import drivers
from search.ledger.leases.lease import Lease
from search.ledger.ledger import Ledger
from tests.integration.ledger_cells import FAMILY, TAGS, Opener, key_of, record, runs_of

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_log, "Lease", partial(Lease, beat_s=0.05, patience_s=1.0))


def start(ledger: Ledger, name: str = "mine", **how: bool) -> str:
    return ledger.start_sweep(name, {"spec": {}}, {"family": FAMILY}, **how)


def abroad(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on each ledger is on a machine of its own."""
    names = iter(range(1000))
    monkeypatch.setattr(drivers, "_machine", lambda: f"machine {next(names)}")


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_run_or_resume_is_refused_by_name(open_ledger: Opener, ledger_uri: str) -> None:
    first, second = open_ledger(), open_ledger()
    sweep = start(first)
    with pytest.raises(SweepTakenError, match=r"'mine' is being trained by process \d+ on "):
        start(second)
    with pytest.raises(SweepTakenError, match="--take-over"):
        second.resume_sweep(sweep)
    assert len(runs_of(ledger_uri, "test/sweeps")) == 1, "the refused one has left no run"
    start(second, "another name")
    first.close()
    open_ledger().resume_sweep(sweep)


def test_a_sweep_that_ended_leaves_no_tags_of_its_driver(
    open_ledger: Opener, ledger_uri: str
) -> None:
    ledger = open_ledger()
    sweep = start(ledger)
    ledger.finish_sweep(sweep, "FINISHED", {})
    ledger.close()
    (run,) = runs_of(ledger_uri, "test/sweeps")
    assert not [name for name in run.data.tags if name.startswith("lease.")]


def test_whoever_is_taken_over_stops_and_does_not_hinder(open_ledger: Opener) -> None:
    first, second, third = open_ledger(), open_ledger(), open_ledger()
    sweep = start(first)
    assert first.halted is None
    second.resume_sweep(sweep, take_over=True)
    until(lambda: first.halted)
    assert "taken over by process" in str(first.halted)
    first.close()
    assert second.halted is None
    with pytest.raises(SweepTakenError):
        third.resume_sweep(sweep)


def test_a_dead_driver_of_another_machine_is_waited_for_then_replaced(
    open_ledger: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    abroad(monkeypatch)
    first = open_ledger()
    sweep = start(first)
    second = open_ledger()
    with pytest.raises(SweepTakenError):
        second.resume_sweep(sweep)  # its beats are seen to rise
    first._lease._stop.set()  # as if it were gone
    began, third = time.monotonic(), open_ledger()
    third.resume_sweep(sweep)
    assert time.monotonic() - began >= 1.0
    assert "--take-over spares the wait" in caplog.text


def test_a_cell_that_a_neighbour_trains_is_left_to_it_and_read_when_it_is_done(
    open_ledger: Opener,
) -> None:
    first, second = open_ledger(), open_ledger()
    start(first, "first")
    start(second, "second")
    until(lambda: first._lease.shared)
    ours = [key_of(1), key_of(2)]
    assert first.claim(FAMILY, ours) == ({}, set())
    assert second.claim(FAMILY, [key_of(2), key_of(3)]) == ({}, {key_of(2)})
    record(first, 2, tags={**TAGS, "sweep": "of the first"})
    assert first.flush(30)
    found, busy = second.claim(FAMILY, [key_of(2), key_of(3)])
    assert (list(found), busy) == ([key_of(2)], set())
    assert found[key_of(2)].sweep_id == "of the first"
    record(first, 1)
    assert first.flush(30)
    first.close()
    found, busy = second.claim(FAMILY, [key_of(1)])
    assert list(found) == [key_of(1)], "it has left, its cells are there"


def test_a_cell_that_two_write_at_once_is_there_once(open_ledger: Opener, ledger_uri: str) -> None:
    first, second = open_ledger(), open_ledger()
    for ledger in (first, second):
        assert ledger.known_cells(FAMILY) == {}
    record(first, 1)
    assert first.flush(30)
    record(second, 1)
    record(second, 2)
    assert second.flush(30)
    assert len(runs_of(ledger_uri, "test/cells")) == 2


def test_a_sweep_that_is_not_there_is_not_resumed(open_ledger: Opener) -> None:
    with pytest.raises(LedgerError, match="No sweep has the run id"):
        open_ledger().resume_sweep("0" * 32)


def test_a_run_that_was_made_and_never_driven_is_no_sweep(
    open_ledger: Opener, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = open_ledger(), open_ledger()
    sweep = start(first)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # As if it had looked before the first was there, and died before it could withdraw.
        patch.setattr(Lease, "_refuse_if_driven", lambda *_: None)
        patch.setattr(Lease, "_first_in_queue", killed)
        with pytest.raises(KeyboardInterrupt):
            start(second)
    assert len(runs_of(ledger_uri, "test/sweeps")) == 2
    assert [record.id for record in open_ledger().sweeps()] == [sweep]
    first.close()
    abroad(monkeypatch)
    open_ledger().resume_sweep(sweep, take_over=True)
    assert [run.info.run_id for run in runs_of(ledger_uri, "test/sweeps")] == [sweep]
