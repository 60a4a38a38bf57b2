"""`foldrace prune`: one sweep's runs go; what another sweep uses stays, to the digit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from search import cli
from search.errors import SweepTakenError
from search.ledger import payloads, sweep_log
from search.ledger.leases import drivers
from search.ledger.leases.lease import Lease
from search.ledger.ledger import Ledger
from search.ledger.payloads import Trained
from search.ledger.records import LoggedRun
from search.ledger.store import RunNews
from search.planning.inner_plans import inner_plans
from search.planning.plan import Plan
from search.planning.saved_plan import to_json
from search.sweep import prune
from search.sweep.results_handler import ResultHandler, sweep_tags
from search.tracking import client
from search.tracking.open import connect
from tests.factories import plan_of
from tests.integration.drawn_sweep import draw, spec_of
from tests.integration.ledger_cells import Opener, result
from tests.integration.ledger_copies import copied
from trainables.engine.contract import Split

pytestmark = pytest.mark.integration

NARROW = {"k": (10,), "gamma": (0.1,), "margin": (0.3,), "scale": (1.0, 3.3)}
WIDE = {"k": (10, 100), "gamma": (0.1,), "margin": (0.3,), "scale": (3.3,)}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sweep_log, "Lease", partial(Lease, beat_s=0.05, patience_s=1.0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def typed(ledger_uri: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit code of a command on the ledger, and its stdout (stderr where it fails)."""

    def go(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.main([*words, "--tracking-uri", ledger_uri, "--experiment", "test"])
        out, err = capsys.readouterr()
        return code, err if code == 2 else out

    return go


@pytest.fixture
def pruned(typed: Callable[..., tuple[int, str]]) -> Callable[[str], dict[str, Any]]:
    def go(sweep: str) -> dict[str, Any]:
        code, out = typed("prune", sweep, "--yes", "--json")
        assert code == 0, out
        document: dict[str, Any] = json.loads(out)
        return document

    return go


@pytest.fixture(scope="module")
def drawn(
    tmp_path_factory: pytest.TempPathFactory, empty_database: bytes
) -> tuple[Path, tuple[str, str]]:
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "mlflow.db").write_bytes(empty_database)
    uri, ids = f"sqlite:///{folder}/mlflow.db", []
    for name, axes in (("wide", WIDE), ("narrow", NARROW)):
        with connect(uri, "test", folder / "spool") as ledger:
            ids.append(draw(ledger, spec_of(uri, name=name, set_axes=axes), lambda c: 0.7))
    return folder, (ids[1], ids[0])


@pytest.fixture
def two(drawn: tuple[Path, tuple[str, str]], ledger_uri: str, tmp_path: Path) -> tuple[str, str]:
    """Sweeps `narrow` and `wide`, which share cells; `wide` was there first."""
    copied(drawn[0], tmp_path)
    return drawn[1]


def runs(open_ledger: Opener, kind: Any) -> list[LoggedRun]:
    return open_ledger().runs(kind)


def keys(name: str, uri: str) -> set[str]:
    axes = {"wide": WIDE, "narrow": NARROW}[name]
    return set(plan_of(spec_of(uri, name=name, set_axes=axes)).keys)


def enter(ledger: Ledger, plan: Plan, cells: int = 4) -> str:
    """A sweep with a few cells of its plan."""
    name, tags = plan.spec.name, sweep_tags(plan)
    sweep_id = ledger.start_sweep(name, to_json(plan), tags)
    of_cell = {**tags, "sweep": sweep_id, "config": "c"}
    for number, key in enumerate(list(plan.keys)[:cells]):
        cell = plan.cell(plan.keys[key])
        trained = replace(result(number), key=key)
        ledger.record([Trained(cell=cell, result=trained, run_name="c", tags=of_cell)])
    ledger.finish_sweep(sweep_id, "FINISHED", {})
    assert ledger.flush()
    ledger.close()
    return sweep_id


@pytest.mark.parametrize(("gone", "stays"), [("narrow", "wide"), ("wide", "narrow")])
def test_what_another_sweep_uses_stays_to_the_digit(
    gone: str,
    stays: str,
    two: tuple[str, str],
    open_ledger: Opener,
    ledger_uri: str,
    typed: Callable[..., tuple[int, str]],
    pruned: Callable[[str], dict[str, Any]],
) -> None:
    ids = dict(zip(("narrow", "wide"), two, strict=True))
    before = typed("leaderboard", stays, "--json")[1]
    shared = keys(gone, ledger_uri) & keys(stays, ledger_uri)
    own = keys(gone, ledger_uri) - shared
    assert len(shared) > 5
    assert len(own) > 5
    configs = [r for r in runs(open_ledger, "configs") if r.tags["sweep"] == ids[gone]]
    document = pruned(gone)
    assert document["removed"]
    assert (document["sweeps"], document["configs"]) == ([gone], len(configs))
    assert (document["cells"], document["stay"]) == (len(own), {stays: len(shared)})
    assert typed("leaderboard", stays, "--json")[1] == before
    assert {r.tags["cell_key"] for r in runs(open_ledger, "cells")} == keys(stays, ledger_uri)
    assert {r.tags["sweep"] for r in runs(open_ledger, "configs")} == {ids[stays]}
    assert [r.run_id for r in runs(open_ledger, "sweeps")] == [ids[stays]]
    code, err = typed("prune", gone, "--yes")
    assert code == 2
    assert f"No sweep {gone!r}" in err
    pruned(stays)
    for kind in ("configs", "cells", "sweeps"):
        assert runs(open_ledger, kind) == []


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
def test_other_data_and_other_experiments_are_not_touched(
    open_ledger: Opener,
    ledger_uri: str,
    tmp_path: Path,
    pruned: Callable[[str], dict[str, Any]],
) -> None:
    plan = plan_of(spec_of(ledger_uri, name="other", set_axes=NARROW))
    other = replace(plan, task=replace(plan.task, data_fingerprint="e" * 64))
    enter(open_ledger(), other)
    with connect(ledger_uri, "elsewhere", tmp_path / "spool") as ledger:
        enter(ledger, plan)
    pruned("narrow")
    pruned("wide")
    assert {r.tags["cell_key"] for r in runs(open_ledger, "cells")} <= set(other.keys)
    assert len(runs(open_ledger, "cells")) == 4
    with connect(ledger_uri, "elsewhere", tmp_path / "spool") as ledger:
        assert len(ledger.runs("cells")) == 4


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


def damage(open_ledger: Opener, sweep_id: str, **tags: str) -> None:
    open_ledger()._store.extend([RunNews(run_id=sweep_id, tags=tags)])


@pytest.mark.parametrize("spec", ["{", '{"spec": {"space": "gone"}, "task": {}}', '"text"', "{}"])
def test_cells_stay_where_another_plan_cannot_be_read(
    spec: str,
    two: tuple[str, str],
    open_ledger: Opener,
    typed: Callable[..., tuple[int, str]],
    pruned: Callable[[str], dict[str, Any]],
) -> None:
    before = len(runs(open_ledger, "cells"))
    damage(open_ledger, two[1], spec_json_000=spec)
    document = pruned("narrow")
    assert (document["cells"], document["sweeps"]) == (0, ["narrow"])
    (note,) = document["notes"]
    assert "the plan of 'wide', on the same data and model, cannot be read" in note
    assert len(runs(open_ledger, "cells")) == before
    # The damaged one goes by its run id: what it trained itself, too.
    document = pruned(two[1])
    assert document["sweeps"] == ["wide"]
    assert "The plan of 'wide' cannot be read" in document["notes"][0]
    assert {r.tags["sweep"] for r in runs(open_ledger, "cells")} == {two[0]}
    assert runs(open_ledger, "sweeps") == []


def test_an_encoder_that_another_sweep_uses_stays(
    two: tuple[str, str], open_ledger: Opener, ledger_uri: str, pruned: Callable[[str], Any]
) -> None:
    plan = plan_of(spec_of(ledger_uri, name="user", model=f"/cache/encoders/narrow-{two[0]}"))
    enter(open_ledger(), plan)
    document = pruned("narrow")
    assert document["sweeps"] == []
    (kept,) = document["kept"]
    assert kept == {
        "sweep": "narrow",
        "run_id": two[0],
        "why": "sweep 'user' uses its encoder",
    }
    assert {r.name for r in runs(open_ledger, "sweeps")} == {"narrow", "wide", "user"}
    assert {r.tags["sweep"] for r in runs(open_ledger, "configs")} == {two[1]}
    pruned("user")
    assert pruned("narrow")["sweeps"] == ["narrow"]


@pytest.mark.parametrize(
    ("narrow", "wide", "why"),
    [
        ({"firing": "2026-02"}, {"firing": "2026-01"}, "it is the one that fired last"),
        (
            {"firing": "2026-01", "champion": "{}"},
            {"firing": "2026-02"},
            "it is the one that has its champion",
        ),
        ({"firing": "2026-01"}, {"firing": "2026-02"}, None),
        ({"firing": "2026-01", "champion": "{}"}, {"firing": "2026-02", "champion": "{}"}, None),
    ],
)
def test_what_a_schedule_goes_by_stays(
    narrow: dict[str, str],
    wide: dict[str, str],
    why: str | None,
    two: tuple[str, str],
    open_ledger: Opener,
    pruned: Callable[[str], dict[str, Any]],
) -> None:
    damage(open_ledger, two[0], schedule="nightly", **narrow)
    damage(open_ledger, two[1], schedule="nightly", predecessor=two[0], **wide)
    document = pruned("narrow")
    assert document["sweeps"] == ([] if why else ["narrow"])
    assert [kept["why"] for kept in document["kept"]] == (
        [f"of the schedule 'nightly' {why}"] if why else []
    )


@pytest.mark.parametrize("tagged", [False, True])
def test_a_sweep_that_a_registered_model_is_made_of_stays(
    tagged: bool,
    two: tuple[str, str],
    open_ledger: Opener,
    ledger_uri: str,
    pruned: Callable[[str], dict[str, Any]],
    registry: MlflowClient,
) -> None:
    registry.create_registered_model("champ")
    registry.create_model_version(
        "champ",
        "file:///nowhere",
        run_id=None if tagged else two[0],
        tags={"sweep": two[0]} if tagged else None,
    )
    document = pruned("narrow")
    assert document["kept"][0]["why"] == "the registered model 'champ' version 1 is made of it"
    assert {r.name for r in runs(open_ledger, "sweeps")} == {"narrow", "wide"}
    assert document["cells"] > 5


@pytest.fixture
def registry(ledger_uri: str) -> MlflowClient:
    return MlflowClient(ledger_uri, ledger_uri)
