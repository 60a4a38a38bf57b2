"""Everything sent arrives once the other side is there, in order, whatever it did before."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from search.errors import DeliveryRefusedError
from search.ledger import delivery, delivery_queue
from search.ledger.delivery import Delivery, Payload, Undelivered
from search.ledger.spool import Spool


class Shelf:
    """The other side: takes payloads, unless it is down or does not like one."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.tries: list[tuple[Any, bool]] = []
        self.batches: list[list[Any]] = []
        self.down = False
        self.dislikes: set[Any] = set()
        self.seconds = 0.0
        self.called = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def take(self, batch: Sequence[Payload], again: bool) -> None:
        self.called.set()
        self.gate.wait(20)
        values = [payload["value"] for payload in batch]
        time.sleep(self.seconds * len(values))
        self.batches.append(values)
        self.tries += [(value, again) for value in values]
        if self.down:
            raise ConnectionError("nobody there")
        if self.dislikes & set(values):
            raise DeliveryRefusedError("not this one")
        self.taken += values


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(delivery, "_LONGEST_PAUSE_S", 0.05)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def courier(tmp_path: Path, shelf: Shelf) -> Iterator[Delivery]:
    made = Delivery(Spool(tmp_path), shelf.take, update_every_s=0.2)
    yield made
    shelf.down = False
    shelf.gate.set()
    made.close(5)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited 60 s in vain"
        time.sleep(0.005)


def test_results_arrive_in_order_and_leave_no_file(
    courier: Delivery, shelf: Shelf, tmp_path: Path
) -> None:
    for value in range(20):
        courier.send({"value": value})
    assert courier.flush(10)
    assert shelf.taken == list(range(20))
    assert courier.pending == 0
    assert courier.close(1) == Undelivered()
    assert not list(tmp_path.glob("*/*.json"))


def test_an_outage_delays_but_loses_nothing_and_only_the_first_is_a_second_try(
    courier: Delivery, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.down = True
    courier.send({"value": 0})
    eventually(lambda: len(shelf.tries) >= 3)
    for value in range(1, 5):
        courier.send({"value": value})
    assert courier.down
    assert not courier.flush(0.05)
    shelf.down = False
    assert courier.flush(10)
    assert shelf.taken == list(range(5))
    assert {value for value, again in shelf.tries if again} == {0}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2, "down, up"


def test_a_refused_result_is_kept_and_does_not_hold_up_the_others(
    courier: Delivery, shelf: Shelf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.dislikes = {1}
    for value in range(3):
        courier.send({"value": value})
    assert courier.flush(10)
    assert shelf.taken == [0, 2]
    assert courier.pending == 1
    assert "not this one" in caplog.text
    assert courier.close(1) == Undelivered(refused=1)
    shelf.dislikes = set()
    heir = Delivery(Spool(tmp_path), shelf.take)
    assert heir.adopt() == 0, "it was told of, and is out of the way"
    assert heir.close(10) == Undelivered()
    assert shelf.taken == [0, 2]


def test_only_the_latest_state_of_a_key_is_delivered_and_not_too_often(
    courier: Delivery, shelf: Shelf
) -> None:
    began = time.monotonic()
    for value in range(200):
        courier.update("config", {"value": value})
        time.sleep(0.002)
    assert courier.flush(10)
    assert shelf.taken[-1] == 199
    assert len(shelf.taken) <= 2 + (time.monotonic() - began) / 0.2


def test_a_flush_does_not_wait_for_states_to_fall_due(tmp_path: Path, shelf: Shelf) -> None:
    slow = Delivery(Spool(tmp_path), shelf.take, update_every_s=3600)
    slow.update("config", {"value": 1})
    eventually(lambda: shelf.taken == [1])
    slow.update("config", {"value": 2})
    assert slow.flush(10)
    assert shelf.taken == [1, 2]
    slow.close(1)


def test_states_are_delivered_while_results_keep_coming(courier: Delivery, shelf: Shelf) -> None:
    shelf.gate.clear()
    courier.send({"value": 0})
    assert shelf.called.wait(60)
    for value in range(1, 50):
        courier.send({"value": value})
    courier.update("config", {"value": "state"})
    shelf.gate.set()
    assert courier.flush(10)
    assert shelf.taken.index("state") == 1
    assert [value for value in shelf.taken if value != "state"] == list(range(50))


def test_a_state_that_met_an_outage_gives_way_to_a_later_one(
    courier: Delivery, shelf: Shelf
) -> None:
    shelf.down = True
    courier.update("config", {"value": "old"})
    eventually(lambda: len(shelf.tries) > 0)
    courier.update("config", {"value": "new"})
    shelf.down = False
    assert courier.flush(10)
    assert shelf.taken == ["new"]
    assert shelf.tries[-1] == ("new", True), "the old one may have been half written"


def test_what_is_left_at_the_end_is_on_disk_states_too(tmp_path: Path, shelf: Shelf) -> None:
    shelf.down = True
    first = Delivery(Spool(tmp_path), shelf.take)
    first.send({"value": "result"})
    first.update("config", {"value": "state"})
    assert first.close(0.05) == Undelivered(waiting=2)
    shelf.down = False
    heir = Delivery(Spool(tmp_path), shelf.take)
    assert heir.adopt() == 2
    assert heir.close(10) == Undelivered()
    assert shelf.taken == ["result", "state"]


def test_the_end_waits_for_as_long_as_results_arrive(
    tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_queue, "MOST_AT_ONCE", 1)
    shelf.seconds = 0.5
    courier = Delivery(Spool(tmp_path), shelf.take)
    for value in range(14):
        courier.send({"value": value})
    assert courier.close(5) == Undelivered()  # seven seconds of deliveries, and no pause of five
    assert shelf.taken == list(range(14))


def test_the_end_waits_for_a_batch_that_is_being_written(tmp_path: Path, shelf: Shelf) -> None:
    shelf.seconds = 1.2
    courier = Delivery(Spool(tmp_path), shelf.take)
    courier.send({"value": 1})
    assert courier.close(0.4) == Undelivered()
    assert shelf.taken == [1]
    shelf.seconds = 30.0
    courier = Delivery(Spool(tmp_path), shelf.take)
    courier.send({"value": 2})
    assert courier.close(0.2).waiting == 1, "but not for one that hangs"


def test_waiting_results_can_be_read_before_they_arrive(courier: Delivery, shelf: Shelf) -> None:
    shelf.gate.clear()
    for value in range(3):
        courier.send({"value": value})
    assert [payload["value"] for payload in courier.waiting()] == [0, 1, 2]
    shelf.gate.set()
    assert courier.flush(10)
    assert list(courier.waiting()) == []


def test_results_get_through_when_the_spool_cannot_be_written(
    tmp_path: Path, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    courier = Delivery(Spool(blocked / "spool"), shelf.take)
    courier.send({"value": 1})
    courier.send({"value": 2})
    assert str(courier.unkept).startswith("Results cannot be kept in")
    assert courier.close(10) == Undelivered()
    assert shelf.taken == [1, 2]
    assert caplog.text.count("Results cannot be kept in") == 1


def test_what_was_in_memory_only_is_counted_as_lost(tmp_path: Path, shelf: Shelf) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    shelf.down = True
    courier = Delivery(Spool(blocked / "spool"), shelf.take)
    courier.send({"value": 1}, {"value": 2})
    courier.update("config", {"value": 3})
    assert courier.close(0.05) == Undelivered(lost=3)


def test_a_reader_starts_no_thread(tmp_path: Path, shelf: Shelf) -> None:
    before = threading.active_count()
    courier = Delivery(Spool(tmp_path / "none"), shelf.take)
    assert courier.adopt() == 0
    assert list(courier.waiting()) == []
    assert courier.flush(1)
    assert threading.active_count() == before
    assert courier.close(1) == Undelivered()


def test_what_waits_goes_together_but_not_all_of_it(
    courier: Delivery, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_queue, "MOST_AT_ONCE", 8)
    monkeypatch.setattr(delivery_queue, "_SECONDS_AT_ONCE", 0.0)  # these take as long as they may
    shelf.gate.clear()
    for value in range(20):
        courier.send({"value": value})
    shelf.gate.set()
    assert courier.flush(10)
    assert shelf.taken == list(range(20))
    assert max(map(len, shelf.batches)) == 8


def test_where_batches_take_little_time_they_grow(
    courier: Delivery, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_queue, "MOST_AT_ONCE", 8)
    shelf.gate.clear()
    for value in range(100):
        courier.send({"value": value})
    shelf.gate.set()
    assert courier.flush(10)
    assert shelf.taken == list(range(100))
    assert 8 < max(map(len, shelf.batches)) <= 64


def test_results_sent_together_take_one_file_and_arrive_one_by_one_in_order(
    courier: Delivery, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.gate.clear()
    courier.send({"value": 0}, {"value": 1}, {"value": 2})
    courier.send({"value": 3})
    assert len(list(tmp_path.glob("*/*.json"))) == 2
    assert courier.pending == 4
    assert [payload["value"] for payload in courier.waiting()] == [0, 1, 2, 3]
    shelf.gate.set()
    assert courier.flush(10)
    assert shelf.taken == [0, 1, 2, 3]
    assert not list(tmp_path.glob("*/*.json"))


def test_one_refused_result_does_not_hold_up_those_it_was_sent_with(
    courier: Delivery, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.dislikes = {1}
    shelf.gate.clear()
    courier.send({"value": 0}, {"value": 1}, {"value": 2})
    courier.send({"value": 3})
    courier.update("config", {"value": "state"})
    shelf.gate.set()
    assert courier.flush(10)
    assert sorted(map(str, shelf.taken)) == ["0", "2", "3", "state"]
    assert courier.pending == 1
    assert len(list(tmp_path.glob("*/*.refused"))) == 1


def test_a_bundle_of_a_killed_process_is_taken_over_whole(tmp_path: Path, shelf: Shelf) -> None:
    shelf.down = True
    first = Delivery(Spool(tmp_path), shelf.take)
    first.send({"value": 0}, {"value": 1})
    assert first.close(0.05) == Undelivered(waiting=2)
    shelf.down = False
    heir = Delivery(Spool(tmp_path), shelf.take)
    assert heir.adopt() == 1, "files"
    assert heir.close(10) == Undelivered()
    assert shelf.taken == [0, 1]


def test_many_states_and_results_at_once_all_arrive(courier: Delivery, shelf: Shelf) -> None:
    shelf.seconds = 0.01
    for value in range(40):
        courier.send({"value": value})
        for key in range(5):
            courier.update(f"{value} {key}", {"value": "state"})
    assert courier.flush(20)
    assert shelf.taken.count("state") == 200
    assert [value for value in shelf.taken if value != "state"] == list(range(40))
