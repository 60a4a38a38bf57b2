"""Ticks of a schedule on a real ledger: once each, caught up once, champions beyond doubt only."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from search import cli
from search.ledger.ledger import Ledger
from search.planning.plan import Plan
from search.schedule import tick
from search.schedule.file import Schedule, read_schedule
from search.sweep import train_sweep
from tests.integration.ledger_cells import runs_of
from trainables.engine.contract import Cell

pytestmark = pytest.mark.integration

PARSE = cli.build_parser().parse_args
PLUGIN = Path(__file__).parents[1] / "bag.py"
FIRST = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
DAY, SOON = timedelta(days=1), timedelta(minutes=3)


@pytest.fixture(autouse=True)
def _aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path, reviews: Path) -> Path:
    file = tmp_path / "mine.csv"
    file.write_text(reviews.read_text())
    return file


@pytest.fixture
def plan(tmp_path: Path, data: Path, tiny_encoder: Path, ledger_uri: str) -> Schedule:
    file = tmp_path / "sweeps.toml"
    file.write_text(
        f"""
tracking_uri = "{ledger_uri}"
experiment = "test"
[[sweep]]
name = "nightly"
cron = "0 2 * * *"
run = "bag --plugin {PLUGIN} --data {data} --text body --label verdict --model {tiny_encoder} \
--set colour=red --seeds 2,16 --folds 3 --strategy grid"
"""
    )
    return read_schedule(file)


def firings(uri: str) -> list[dict[str, str]]:
    """Tags of the runs of sweeps that fired, oldest first."""
    runs = sorted(runs_of(uri, "test/sweeps"), key=lambda run: run.info.start_time)
    runs = [run for run in runs if "firing" in run.data.tags]  # not the champion's own
    return [{**run.data.tags, "id": run.info.run_id, "status": run.info.status} for run in runs]


def states(told: list[tick.EntryStatus]) -> list[str]:
    assert all(one.code == 0 for one in told), told
    return [one.state for one in told]


def test_a_firing_starts_once_names_its_predecessor_and_trains_only_what_changed(
    plan: Schedule, trained: list[Cell], ledger_uri: str, data: Path
) -> None:
    assert states(tick.tick(plan, PARSE, FIRST - SOON)) == ["waits"], "not yet, and none was missed"
    assert states(tick.tick(plan, PARSE, FIRST + SOON)) == ["fired"]
    cells = len(trained)
    assert cells == 3 * 6
    assert states(tick.tick(plan, PARSE, FIRST + 2 * SOON)) == ["waits"], "a tick is idempotent"

    assert states(tick.tick(plan, PARSE, FIRST + DAY)) == ["fired"]
    assert len(trained) == cells, "unchanged data: no new cell"

    # The machine was off for three days: what was missed is caught up once.
    assert states(tick.tick(plan, PARSE, FIRST + 4 * DAY + 5 * SOON)) == ["fired"]
    assert states(tick.tick(plan, PARSE, FIRST + 4 * DAY + 6 * SOON)) == ["waits"]

    data.write_text(data.read_text().replace("good", "nice"))
    assert states(tick.tick(plan, PARSE, FIRST + 5 * DAY)) == ["fired"]
    assert len(trained) == 2 * cells, "changed data: all of its cells, once"

    found = firings(ledger_uri)
    times = [datetime.fromisoformat(one["firing"]) for one in found]
    assert times == [FIRST, FIRST + DAY, FIRST + 4 * DAY, FIRST + 5 * DAY]
    assert "predecessor" not in found[0]
    assert [one["predecessor"] for one in found[1:]] == [one["id"] for one in found[:-1]]
    assert {one["status"] for one in found} == {"FINISHED"}
    assert [one["promotion"] for one in found] == ["moves", "stays", "stays", "stays"]


def test_a_firing_that_was_killed_goes_on_and_one_that_runs_is_left_alone(
    plan: Schedule, trained: list[Cell], ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = train_sweep.train_cells

    class PulledPlugError(BaseException):
        """The end of the process, as far as the ledger can see."""

    def pulled(plan: Plan, source: Any, handler: Any, sweep_id: str, callback: Any) -> bool:
        # While it runs, another tick of this folder finds it taken.
        with multiprocessing.get_context("fork").Pool(1) as other:
            told = other.apply(_another_tick, (plan_of_schedule, FIRST + SOON))
        assert told == ["runs"]
        raise PulledPlugError

    plan_of_schedule = plan
    monkeypatch.setattr(train_sweep, "train_cells", pulled)
    monkeypatch.setattr(Ledger, "finish_sweep", lambda *given: None)
    with pytest.raises(PulledPlugError):
        tick.tick(plan, PARSE, FIRST + SOON)
    monkeypatch.undo()
    os.chdir(plan.source.parent)
    assert [one["status"] for one in firings(ledger_uri)] == ["RUNNING"]

    monkeypatch.setattr(train_sweep, "train_cells", train)
    assert states(tick.tick(plan, PARSE, FIRST + 2 * SOON)) == ["resumed"]
    (only,) = firings(ledger_uri)
    assert (only["status"], only["promotion"]) == ("FINISHED", "moves")
    assert len(trained) == 18


def _another_tick(plan: Schedule, now: datetime) -> list[str]:
    return [told.state for told in tick.tick(plan, PARSE, now)]


def test_two_ticks_at_once_start_a_sweep_once(plan: Schedule, trained: list[Cell]) -> None:
    with multiprocessing.get_context("fork").Pool(2) as both:
        told = both.starmap(_another_tick, [(plan, FIRST)] * 2)
    assert sorted(told) in ([["fired"], ["runs"]], [["fired"], ["waits"]])


def test_ticks_on_two_machines_fire_a_sweep_once(
    plan: Schedule, trained: list[Cell], ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On another machine this folder's lock is free, and it has looked before the first had begun.
    assert states(tick.tick(plan, PARSE, FIRST + SOON)) == ["fired"]
    monkeypatch.setattr(tick, "_firings", lambda *_: [])
    (late,) = tick.tick(plan, PARSE, FIRST + SOON)
    assert late.state == "runs"
    assert "is there already" in late.detail
    assert len(firings(ledger_uri)) == 1
    assert len(trained) == 18


def test_the_alias_moves_to_what_is_better_beyond_doubt_and_stays_otherwise(
    plan: Schedule, trained: list[Cell], ledger_uri: str
) -> None:
    """A rate of 1e-4 learns nothing in one epoch, 1 learns the two classes."""
    all_rates = plan.sweep[0]
    only_small = all_rates.model_copy(update={"run": f"{all_rates.run} --set learning_rate=1e-4"})
    days = [only_small, all_rates, only_small]
    for day, entry in enumerate(days):
        one = plan.model_copy(update={"sweep": (entry,)})
        assert states(tick.tick(one, PARSE, FIRST + day * DAY)) == ["fired"]
    first, second, third = firings(ledger_uri)
    assert json.loads(first["champion"])["learning_rate"] == 1e-4
    assert second["promotion"] == "moves"
    assert "better than the champion" in second["promotion_reason"]
    assert json.loads(second["champion"])["learning_rate"] == 1.0
    assert third["promotion"] == "stays"
    assert "worse than the champion" in third["promotion_reason"], "though its space lacks it"
    assert len(trained) == 18, "the champion's cells came from the ledger"


def test_a_new_champion_is_trained_on_all_rows_and_gets_the_alias(
    plan: Schedule, trained: list[Cell], ledger_uri: str, data: Path, tiny_encoder: Path
) -> None:
    run = (
        f"smoke --data {data} --text body --label verdict --model {tiny_encoder} --strategy grid "
        "--configs reference --seeds 2,16 --folds 2 --fix max_length=16 --fix pooling=mean"
    )
    entry = plan.sweep[0].model_copy(update={"run": run, "registered_model": "reviews"})
    one = plan.model_copy(update={"sweep": (entry,)})
    assert states(tick.tick(one, PARSE, FIRST)) == ["fired"]
    client = MlflowClient(ledger_uri)
    version = client.get_model_version_by_alias("reviews", "champion")
    (firing,) = firings(ledger_uri)
    assert (int(version.version), version.tags["sweep"]) == (1, firing["id"])
    # The next firing's winner is the champion itself: nothing is trained or registered.
    assert states(tick.tick(one, PARSE, FIRST + DAY)) == ["fired"]
    assert firings(ledger_uri)[1]["promotion"] == "stays"
    assert len(client.search_model_versions("name = 'reviews'")) == 1
    assert len(trained) == len({cell.key for cell in trained})


def test_a_sweep_that_cannot_run_is_told_and_stops_no_other(
    plan: Schedule, trained: list[Cell], data: Path
) -> None:
    other = plan.sweep[0].model_copy(update={"name": "another"})
    both = plan.model_copy(update={"sweep": (plan.sweep[0], other)})
    text = data.read_text()
    data.unlink()
    told = tick.tick(both, PARSE, FIRST)
    assert [(one.state, one.code) for one in told] == [("failed", 2)] * 2
    assert str(data) in told[0].detail
    data.write_text(text)
    assert states(tick.tick(both, PARSE, FIRST + SOON)) == ["fired", "fired"]


def test_the_command_checks_the_whole_file_before_it_starts_any(
    plan: Schedule, trained: list[Cell], capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan.source.read_text()
    plan.source.write_text(text + '[[sweep]]\nname="bad"\ncron="0 2 * * *"\nrun="smoke"\n')
    assert cli.main(["schedule", str(plan.source), "--once"]) == 2
    assert "sweep 'bad'" in capsys.readouterr().err
    plan.source.write_text(text)
    assert cli.main(["schedule", str(plan.source), "--once"]) == 0
    assert "nightly: " in capsys.readouterr().err
    assert cli.main(["schedule", str(plan.source), "--emit", "cron"]) == 0
    assert str(plan.source) in capsys.readouterr().out
