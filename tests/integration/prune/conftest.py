"""Two sweeps that share cells, in a ledger whose drivers are soon given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from search import cli
from search.ledger import sweep_log
from search.ledger.leases.lease import Lease
from search.ledger.ledger import Ledger
from search.ledger.payloads import Trained
from search.ledger.records import LoggedRun
from search.planning.plan import Plan
from search.planning.saved_plan import to_json
from search.sweep.results_handler import sweep_tags
from search.tracking.open import connect
from tests.factories import plan_of
from tests.integration.drawn_sweep import draw, spec_of
from tests.integration.ledger_cells import Opener, result
from tests.integration.ledger_copies import copied

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
