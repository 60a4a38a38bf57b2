"""`foldrace prune`: what another sweep, a schedule or a model uses stays, to the digit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from search.ledger.store import RunNews
from search.tracking.open import connect
from tests.factories import plan_of
from tests.integration.drawn_sweep import spec_of
from tests.integration.ledger_cells import Opener
from tests.integration.prune.conftest import NARROW, enter, keys, runs

pytestmark = pytest.mark.integration


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


@pytest.fixture
def registry(ledger_uri: str) -> MlflowClient:
    return MlflowClient(ledger_uri, ledger_uri)


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
