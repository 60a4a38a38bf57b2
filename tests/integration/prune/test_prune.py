"""`foldrace prune`: one sweep's runs go, whoever else is at work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.errors import SweepTakenError
from search.ledger import payloads
from search.ledger.leases import drivers
from search.planning.inner_plans import inner_plans
from search.planning.plan import Plan
from search.planning.saved_plan import to_json
from search.sweep import prune
from search.sweep.results_handler import ResultHandler, sweep_tags
from search.tracking import client
from search.tracking.open import connect
from tests.factories import plan_of
from tests.integration.drawn_sweep import spec_of
from tests.integration.ledger_cells import Opener, result
from tests.integration.prune.conftest import NARROW, enter, keys, runs
from trainables.engine.contract import Split

pytestmark = pytest.mark.integration


def test_without_yes_it_is_only_said(
    two: tuple[str, str], tmp_path: Path, typed: Callable[..., tuple[int, str]], ledger_uri: str
) -> None:
    before = (tmp_path / "mlflow.db").read_bytes()
    code, out = typed("prune", "narrow")
    shared = len(keys("narrow", ledger_uri) & keys("wide", ledger_uri))
    own = len(keys("narrow", ledger_uri)) - shared
    assert code == 0
    assert out.startswith(f"Would be removed of narrow (run {two[0]}): 1 sweep, ")
    assert f", {own} cells." in out
    assert f"{shared} cells of it stay: sweep wide needs them." in out
    assert "Nothing was removed." in out
    assert f"prune narrow --yes --tracking-uri {ledger_uri} --experiment test" in out
    assert (tmp_path / "mlflow.db").read_bytes() == before


@pytest.mark.usefixtures("two")
def test_mlflow_frees_the_disk_of_it_and_of_nothing_else(
    tmp_path: Path, typed: Callable[..., tuple[int, str]], ledger_uri: str
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    before = typed("leaderboard", "wide", "--json")[1]
    code, out = typed("prune", "narrow", "--yes")
    assert code == 0
    assert f"mlflow gc --backend-store-uri {ledger_uri} --tracking-uri {ledger_uri}" in out
    store = SqlAlchemyStore(ledger_uri, str(tmp_path))
    for run_id in store._get_deleted_runs():
        store._hard_delete_run(run_id)
    assert typed("leaderboard", "wide", "--json")[1] == before
    code, out = typed("doctor", "--json")
    assert not [
        f for f in json.loads(out)["findings"] if (f["subject"], f["level"]) == ("ledger", "fault")
    ]


def test_a_client_without_rows_removes_the_same(
    two: tuple[str, str],
    open_ledger: Opener,
    ledger_uri: str,
    pruned: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "open_rows", lambda uri, artifacts: None)
    pruned("narrow")
    assert {r.tags["cell_key"] for r in runs(open_ledger, "cells")} == keys("wide", ledger_uri)
    assert [r.run_id for r in runs(open_ledger, "sweeps")] == [two[1]]


@pytest.mark.usefixtures("two")
def test_a_sweep_whose_driver_or_neighbour_lives_is_refused(
    open_ledger: Opener, ledger_uri: str, typed: Callable[..., tuple[int, str]]
) -> None:
    driver = open_ledger()
    driver.resume_sweep(driver.find_sweep("narrow").id)
    for name in ("narrow", "wide"):
        code, err = typed("prune", name, "--yes")
        assert code == 2
        assert "Sweep 'narrow' is being trained by process" in err
    assert len(runs(open_ledger, "sweeps")) == 2
    driver.close()
    assert typed("prune", "narrow", "--yes")[0] == 0


@pytest.mark.usefixtures("two")
def test_a_driver_of_another_machine_is_waited_for(
    open_ledger: Opener,
    typed: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = iter(range(1000))
    monkeypatch.setattr(drivers, "_machine", lambda: f"machine {next(names)}")
    driver = open_ledger()
    driver.resume_sweep(driver.find_sweep("wide").id)
    assert typed("prune", "narrow", "--yes")[0] == 2
    assert driver._lease._thread is not None
    driver._lease._stop.set()  # from here on it gives no sign of life
    driver._lease._thread.join()
    assert typed("prune", "narrow", "--yes")[0] == 0
    assert [r.name for r in runs(open_ledger, "sweeps")] == ["wide"]


def test_nobody_resumes_a_sweep_that_is_removed(
    two: tuple[str, str], open_ledger: Opener, ledger_uri: str
) -> None:
    refused = []

    def told(done: int, every: int) -> None:
        if not refused:
            with pytest.raises(SweepTakenError) as error:
                open_ledger().resume_sweep(two[0])
            refused.append(error)

    prune.prune(ledger_uri, "test", "narrow", told)
    assert refused


@pytest.mark.usefixtures("two")
def test_a_sweep_that_starts_meanwhile_loses_no_cell(
    open_ledger: Opener, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "_AT_ONCE", 3)
    plan = plan_of(spec_of(ledger_uri, name="late", set_axes=NARROW))
    late: list[set[str]] = []

    def told(done: int, every: int) -> None:
        gone = len(keys("wide", ledger_uri)) - len(runs(open_ledger, "cells"))
        if not late and gone > 3:
            ledger = open_ledger()
            ledger.start_sweep("late", to_json(plan), sweep_tags(plan))
            late.append(set(ledger.known_cells(plan.family)) & set(plan.keys))

    open_ledger()
    pruned = prune.prune(ledger_uri, "test", "narrow", lambda *_: None)
    assert pruned.cells
    removal = prune.prune(ledger_uri, "test", "wide", told)
    (known,) = late
    assert len(known) > 5
    assert removal.stay["late"] == len(known)
    assert {r.tags["cell_key"] for r in runs(open_ledger, "cells")} == known


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("after", [1, 3, 8])
def test_an_interrupted_removal_is_done_again(
    after: int,
    open_ledger: Opener,
    ledger_uri: str,
    typed: Callable[..., tuple[int, str]],
    pruned: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = typed("leaderboard", "wide", "--json")[1]
    calls = iter(range(100))

    def told(done: int, every: int) -> None:
        if next(calls) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(prune, "_AT_ONCE", 5)
    with pytest.raises(KeyboardInterrupt):
        prune.prune(ledger_uri, "test", "narrow", told)
    assert {r.name for r in runs(open_ledger, "sweeps")} == {"narrow", "wide"}
    pruned("narrow")
    assert {r.tags["cell_key"] for r in runs(open_ledger, "cells")} == keys("wide", ledger_uri)
    assert typed("leaderboard", "wide", "--json")[1] == before


def test_results_that_wait_are_taken_in_first(
    two: tuple[str, str], open_ledger: Opener, pruned: Callable[[str], dict[str, Any]]
) -> None:
    plan = plan_of(spec_of("sqlite:///x.db", name="narrow", set_axes=NARROW))
    ledger = connect("sqlite:///mlflow.db", "test")
    handler = ResultHandler(plan, None, ledger, two[0], lambda *_: None, None)  # type: ignore[arg-type]
    key = next(iter(plan.keys))
    trained = handler._trained(plan.keys[key], replace(result(1, "failed"), key=key))
    ledger._delivery._spool.put({**payloads.of_cell(trained), "run_name": "late"})
    assert ledger._delivery._spool._lock is not None
    ledger._delivery._spool._lock.close()  # as if killed
    assert pruned("narrow")["removed"]
    assert not [r for r in runs(open_ledger, "cells") if r.name == "late"]
    assert not list(Path(".foldrace").rglob("*.json"))


def nested(uri: str, name: str = "outer", **changes: Any) -> Plan:
    fields = {"set_axes": NARROW, "nested": True, "folds": 2, **changes}
    plan = plan_of(spec_of(uri, name=name, **fields))
    return replace(plan, task=replace(plan.task, split=Split(folds=plan.spec.folds)))


def test_inner_sweeps_go_with_theirs(
    open_ledger: Opener,
    ledger_uri: str,
    typed: Callable[..., tuple[int, str]],
    pruned: Callable[[str], dict[str, Any]],
) -> None:
    plan, other = nested(ledger_uri), nested(ledger_uri, "other", seeds=(16, 2))
    for one in (plan, *inner_plans(plan), other, *inner_plans(other)):
        enter(open_ledger(), one)
    code, err = typed("prune", "outer-nested-1", "--yes")
    assert code == 2
    assert "goes with it: foldrace prune outer" in err
    code, out = typed("prune", "outer")
    assert "inner sweeps: outer-nested-" in out
    assert pruned("outer")["cells"] == 2 * 4 + 4 - len(set(list(plan.keys)[:4]) & set(other.keys))
    assert {r.name for r in runs(open_ledger, "sweeps")} == {
        "other",
        *(inner.spec.name for inner in inner_plans(other)),
    }
    theirs = {key for one in (other, *inner_plans(other)) for key in one.keys}
    assert {r.tags["cell_key"] for r in runs(open_ledger, "cells")} <= theirs
    assert pruned("latest")["sweep"] == "other", "latest is no inner sweep"
    assert runs(open_ledger, "cells") == []


def test_inner_sweeps_that_two_of_a_name_share_stay_with_the_last(
    open_ledger: Opener, ledger_uri: str, pruned: Callable[[str], dict[str, Any]]
) -> None:
    plan = nested(ledger_uri)
    for one in (plan, *inner_plans(plan), plan):
        enter(open_ledger(), one)
    assert pruned("outer")["sweeps"] == ["outer"]
    assert len(pruned("outer")["sweeps"]) == 3
    for kind in ("cells", "sweeps"):
        assert runs(open_ledger, kind) == []
