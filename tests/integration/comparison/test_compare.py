"""`foldrace compare` on sweeps in a real ledger, whose scores are drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search import cli
from search.comparison.compare import compare_sweeps
from search.planning.plan import Plan
from search.spec.sweep_spec import SweepSpec
from search.sweep.load import load
from search.tracking.open import connect
from tests.factories import plan_of
from tests.integration.drawn_sweep import draw, spec_of

pytestmark = pytest.mark.integration

Compare = Callable[..., tuple[int, str, str]]

# Name -> accuracy, and how the sweep differs from the others.
_SWEEPS: dict[str, tuple[float, dict[str, Any]]] = {
    "good": (0.9, {}),
    "poor": (0.7, {}),
    "fair": (0.8, {}),
    "four-folds": (0.7, {"folds": 4}),
    "other-seeds": (0.7, {"seeds": (5, 6, 7)}),
    "one-seed-more": (0.7, {"seeds": (16, 128)}),
    "other-rows": (0.7, {}),
}


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> str:
    """A ledger with the sweeps; a rate of its own keeps each one's cells apart from others'."""
    folder = tmp_path_factory.mktemp("compared")
    file = folder / "mlflow.db"
    file.write_bytes(empty_database)
    uri = f"sqlite:///{file}"
    with pytest.MonkeyPatch.context() as patch, connect(uri, "test", folder / "spool") as ledger:
        for number, (name, (accuracy, changes)) in enumerate(_SWEEPS.items(), start=1):
            if name == "other-rows":
                patch.setattr("tests.integration.drawn_sweep.plan_of", _plan_of_other_rows)

            def score(config: Mapping[str, Any], accuracy: float = accuracy) -> float:
                return accuracy - 0.02 * config["beta"]

            axes = {"k": (10,), "gamma": (0.1,), "margin": (0.3,), "scale": (1.0,)}
            spec = spec_of(
                uri,
                name=name,
                fix={"learning_rate": number * 1e-5},
                set_axes={**axes, "beta": (0.1, 0.5)},
                **changes,
            )
            draw(ledger, spec, score, rows=480 if name == "other-rows" else 600, noise=0.002)
    return uri


def _plan_of_other_rows(spec: SweepSpec) -> Plan:
    plan = plan_of(spec)
    return replace(plan, task=replace(plan.task, data_fingerprint="e" * 64))


@pytest.fixture
def compare(uri: str, capsys: pytest.CaptureFixture[str]) -> Compare:
    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        flags = ("--tracking-uri", uri, "--experiment", "test")
        code = cli.main(["compare", *words, *flags])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


def test_sweeps_of_the_same_rows_are_paired_cell_by_cell(compare: Compare, uri: str) -> None:
    code, out, _ = compare("good", "poor", "--json")
    document = json.loads(out)
    assert code == 0
    good, poor = (load(name, tracking_uri=uri, experiment="test") for name in ("good", "poor"))
    winners = [result.table.scores[result.standings.winner] for result in (good, poor)]
    picked = float(np.mean(winners[0] - winners[1]))
    assert document["paired"] is True
    assert document["cells_shared"] == 6
    assert document["difference_as_picked"] == pytest.approx(picked)
    luck = good.standings.luck - poor.standings.luck
    assert document["difference"] == pytest.approx(picked - luck)
    assert document["ci_low"] < document["difference"] < document["ci_high"]
    assert document["ci_low"] > 0
    assert document["p_better"] > 0.97
    assert document["answer"].startswith("good is better than poor by")


def test_the_difference_turns_round_with_the_sides(compare: Compare) -> None:
    forth = json.loads(compare("good", "poor", "--json")[1])
    back = json.loads(compare("poor", "good", "--json")[1])
    assert back["difference"] == pytest.approx(-forth["difference"])
    assert back["p_better"] == pytest.approx(1 - forth["p_better"])
    assert back["answer"].startswith("good is better than poor by")


def test_each_class_has_its_own_difference(compare: Compare) -> None:
    document = json.loads(compare("good", "poor", "--json")[1])
    assert [row["class"] for row in document["classes"]] == ["red", "green", "blue"]
    for row in document["classes"]:
        assert row["first_f1"] - row["second_f1"] == pytest.approx(row["difference"])
        assert row["ci_low"] < row["difference"] < row["ci_high"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("four-folds", "their folds differ (3 and 4)"),
        ("other-seeds", "they share no seed (2, 16 and 5, 6, 7)"),
        ("other-rows", "their rows differ"),
    ],
)
def test_sweeps_without_common_cells_are_not_paired_and_it_is_said(
    compare: Compare, other: str, why: str
) -> None:
    document = json.loads(compare("good", other, "--json")[1])
    assert document["paired"] is False
    assert document["why_unpaired"] == why
    assert document["cells_shared"] == 0
    assert document["ci_low"] < document["difference"] < document["ci_high"]
    _, out, _ = compare("good", other)
    assert f"not paired, since {why}" in " ".join(out.split())


def test_the_seeds_that_both_have_are_compared(compare: Compare) -> None:
    document = json.loads(compare("good", "one-seed-more", "--json")[1])
    assert document["paired"] is True
    assert document["cells_shared"] == 3


def test_several_sweeps_are_a_table_of_the_first_with_each(compare: Compare) -> None:
    document = json.loads(compare("good", "fair", "poor", "--json")[1])
    assert [(row["first"], row["second"]) for row in document["comparisons"]] == [
        ("good", "fair"),
        ("good", "poor"),
    ]
    assert "difference" not in document
    assert document["comparisons"][1]["difference"] > document["comparisons"][0]["difference"]
    _, out, _ = compare("good", "fair", "poor")
    assert out.index("good is better than fair") < out.index("good is better than poor")


def test_a_reference_config_is_a_side_without_luck(compare: Compare) -> None:
    document = json.loads(compare("good", "good:baseline", "--json")[1])
    winner, baseline = document["sweeps"]
    assert "cross-entropy" in baseline["label"]
    assert baseline["mean"] == baseline["corrected"]
    assert winner["corrected"] < winner["mean"]
    assert document["second"] == "good:baseline"
    by_name = json.loads(compare("good", "good:cross-entropy", "--json")[1])
    assert by_name["difference"] == document["difference"]


def test_a_sweep_and_itself_are_the_same_cells(compare: Compare) -> None:
    document = json.loads(compare("good", "good", "--json")[1])
    assert document["same_cells"] is True
    assert (document["difference"], document["p_better"]) == (0.0, 0.5)
    assert document["answer"] == "good and good are the same 6 trained cells."


def test_another_metric_of_the_cells_compares_without_the_picks_luck(compare: Compare) -> None:
    document = json.loads(compare("good", "poor", "--objective", "entropy", "--json")[1])
    assert document["objective"] == "entropy"
    assert document["difference"] == document["difference_as_picked"]
    _, out, _ = compare("good", "poor", "--objective", "entropy")
    assert "picked by accuracy" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("good",), "compare wants two sweeps or more, got 1"),
        (("good", "god"), "Did you mean 'good'?"),
        (("good", "good:99"), "must be from 1 to"),
        (("good", "good:cross-entrop"), "Did you mean 'cross-entropy'?"),
        (("good", "good:0"), "got 0"),
        (("good", "good:2", "--objective", "acuracy"), "Did you mean 'accuracy'?"),
    ],
)
def test_a_side_that_is_not_there_is_refused_by_name(
    compare: Compare, words: tuple[str, ...], said: str
) -> None:
    code, _, err = compare(*words)
    assert code == 2
    assert said in err


def test_a_report_of_two_sweeps_starts_with_their_comparison(uri: str, tmp_path: Path) -> None:
    flags = ["--tracking-uri", uri, "--experiment", "test", "--out", str(tmp_path / "out")]
    assert cli.main(["report", "good", "poor", *flags]) == 0
    comparison = compare_sweeps(["good", "poor"], tracking_uri=uri, experiment="test")
    (pair,) = comparison.pairs
    shown = f"{100 * pair.difference.mean:+.2f}"
    for name in ("report.html", "report.md"):
        page = (tmp_path / "out" / name).read_text()
        assert page.index("good is better than poor by") < page.index("Which of 3 configs")
        assert shown in page
        assert "F1 of red" in page
