"""`foldrace watch`: a sweep of another process, followed by the ledger alone."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from typing import Any

import pytest

from search import cli
from search.errors import SweepError
from search.ledger.ledger import Ledger
from search.ledger.payloads import Trained
from search.planning.plan import Plan
from search.planning.saved_plan import to_json
from search.results.score_matrix import ScoreMatrix
from search.sweep.callback import Callback
from search.sweep.results_handler import sweep_tags
from search.sweep.watch import watch
from search.tracking.open import connect
from tests.factories import plan_of
from tests.integration.drawn_sweep import spec_of
from tests.integration.ledger_cells import Opener, result
from trainables.engine.contract import CellResult

pytestmark = pytest.mark.integration

AXES = {"k": (10,), "gamma": (0.1,), "margin": (0.3,), "scale": (1.0, 3.3)}


class Seen(Callback):
    """What a watcher was told, and a moment to wait for."""

    def __init__(self) -> None:
        self.began, self.two = threading.Event(), threading.Event()
        self.who, self.ended = "", False
        self.cells: list[tuple[tuple[int, int], str]] = []

    def on_watch(self, plan: Plan, table: ScoreMatrix, planned: int, who: str) -> None:
        self.who, self.reused, self.planned = who, table.reused, planned
        self.began.set()

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        self.cells.append((pair, result.status))
        if len(self.cells) == 2:
            self.two.set()

    def on_end(self) -> None:
        self.ended = True


@pytest.fixture
def plan(ledger_uri: str) -> Plan:
    return plan_of(spec_of(ledger_uri, name="mine", set_axes=AXES))


def record(ledger: Ledger, plan: Plan, sweep_id: str, numbers: range) -> None:
    tags = {**sweep_tags(plan), "sweep": sweep_id, "config": "c"}
    for number in numbers:
        key = list(plan.keys)[number]
        trained = replace(result(number), key=key)
        cell = plan.cell(plan.keys[key])
        ledger.record([Trained(cell=cell, result=trained, run_name="c", tags=tags)])
    assert ledger.flush()


def test_cells_are_told_as_they_come_and_the_end_is_seen(
    open_ledger: Opener, ledger_uri: str, plan: Plan
) -> None:
    driver, seen = open_ledger(), Seen()
    sweep_id = driver.start_sweep("mine", to_json(plan), sweep_tags(plan))
    record(driver, plan, sweep_id, range(3))
    ends: list[Any] = []
    watching = threading.Thread(
        target=lambda: ends.append(watch(ledger_uri, "test", "mine", seen, every_s=0.1))
    )
    watching.start()
    assert seen.began.wait(60)
    record(driver, plan, sweep_id, range(3, 5))
    assert seen.two.wait(60)
    driver.finish_sweep(sweep_id, "FINISHED", {})
    driver.close()
    watching.join(60)
    assert (seen.reused, seen.ended) == (3, True)
    assert f"process {os.getpid()}" in seen.who
    pairs = [plan.keys[key] for key in list(plan.keys)[3:5]]
    assert sorted(seen.cells) == sorted((pair, "done") for pair in pairs)
    assert ends[0].table.reused == 5


def test_a_sweep_whose_driver_is_dead_says_how_to_go_on(
    ledger_uri: str, plan: Plan, tmp_path: Any
) -> None:
    child = os.fork()
    if child == 0:  # killed with the lease in its hands
        ledger = connect(ledger_uri, "test", tmp_path / "spool")
        ledger.start_sweep("mine", to_json(plan), sweep_tags(plan))
        os._exit(0)
    os.waitpid(child, 0)
    seen = Seen()
    with pytest.raises(SweepError, match=r"`foldrace resume mine` goes on") as raised:
        watch(ledger_uri, "test", "mine", seen, every_s=0.1)
    assert f"process {child}" in str(raised.value)
    assert seen.ended


def test_a_sweep_that_has_ended_is_shown_once(
    open_ledger: Opener,
    ledger_uri: str,
    plan: Plan,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = open_ledger()
    sweep_id = driver.start_sweep("mine", to_json(plan), sweep_tags(plan))
    record(driver, plan, sweep_id, range(2))
    driver.finish_sweep(sweep_id, "FINISHED", {})
    driver.close()
    words = ["watch", "mine", "--json", "--tracking-uri", ledger_uri, "--experiment", "test"]
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)["cells_done"] == 2
    assert cli.main([*words[:1], "mien", *words[2:]]) == 2
    assert "mine" in capsys.readouterr().err
