"""Results of tiny cells travel together, and none waits for long."""

from __future__ import annotations

import numpy as np
import pytest

from search.execution import report_buffer
from search.execution.report_buffer import ReportBuffer, read_report
from trainables.engine.contract import CellResult


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(report_buffer, "time", made)
    return made


def reported(clock: Clock, durations: list[float]) -> list[tuple[float, list[str]]]:
    """Moments of reports and what was in them, of cells that take so long each."""
    sent: list[tuple[float, list[str]]] = []
    buffer = ReportBuffer(
        lambda text: sent.append((clock.now - 100, [one.key for one in read_report(text)]))
    )
    for number, duration in enumerate(durations):
        clock.now += duration
        buffer.add(CellResult(key=str(number), status="done"))
    buffer.send()
    return [(round(moment, 6), keys) for moment, keys in sent]


def test_cells_of_a_second_or_more_are_reported_at_once(clock: Clock) -> None:
    assert reported(clock, [1.0, 5.0, 1.0]) == [(1.0, ["0"]), (6.0, ["1"]), (7.0, ["2"])]


def test_a_cell_whose_next_would_come_after_a_second_is_reported_at_once(clock: Clock) -> None:
    assert reported(clock, [0.75, 0.75]) == [(0.75, ["0"]), (1.5, ["1"])]


def test_tiny_cells_are_reported_once_a_second_and_at_the_end(clock: Clock) -> None:
    sent = reported(clock, [0.0625] * 40)
    assert [len(keys) for _, keys in sent] == [15, 15, 10]
    assert [key for _, keys in sent for key in keys] == [str(number) for number in range(40)]
    moments = [moment for moment, _ in sent]
    assert max(np.diff([0.0, *moments])) <= 1.0


def test_nothing_is_reported_where_nothing_waits(clock: Clock) -> None:
    assert reported(clock, []) == []


def test_a_report_holds_results_as_they_are() -> None:
    draw = np.random.default_rng(1)
    sent: list[str] = []
    result = CellResult(
        key="k",
        status="done",
        metrics={"accuracy": 0.1 + 0.2},
        epochs=({"loss": float("inf")},),
        rows=np.arange(5),
        probabilities=draw.random((5, 2), dtype=np.float32),
    )
    buffer = ReportBuffer(sent.append)
    buffer.add(result)
    buffer.send()
    (back,) = read_report(sent[0])
    assert back.metrics == result.metrics
    assert back.epochs == result.epochs
    np.testing.assert_array_equal(back.probabilities, result.probabilities)
