"""Earlier sweeps behind a race: which can be one, what they give, and what they never touch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.console.leaderboard import explanation
from search.errors import InputError
from search.ledger.ledger import Ledger
from search.planning.saved_plan import to_json
from search.results.document import of_outcome, summary
from search.results.earlier import Earlier, guidance, weigh
from search.sweep import prior_sweeps
from search.sweep.load import load_record
from search.sweep.ranking import ranked, strategy_of
from search.sweep.results_handler import sweep_tags
from search.tracking.open import open_ledger
from tests.factories import plan_of
from tests.integration.drawn_sweep import draw, spec_of
from trainables.engine.contract import DataRef

AXES = {"k": (10,), "gamma": (0.01, 0.1), "margin": (0.01, 0.3, 0.9), "scale": (1.0, 3.3, 10.0)}
GRID = {"set_axes": AXES, "fix": {"beta": 0.1}, "configs": "all"}
RACE: dict[str, Any] = {**GRID, "strategy": "race", "budget": {"max_cells": 60}}


def good(config: Mapping[str, Any]) -> float:
    return 0.9 - 0.3 * abs(config["margin"] - 0.3) - 0.02 * abs(config["scale"] - 3.3)


@pytest.fixture
def ledger(ledger_uri: str) -> Iterator[Ledger]:
    with open_ledger(ledger_uri, "test") as opened:
        yield opened


@pytest.fixture
def earlier(ledger: Ledger, ledger_uri: str) -> str:
    """A finished sweep of the same space, of other seeds in place of other data."""
    draw(ledger, spec_of(ledger_uri, name="before", seeds=(1, 3), **GRID), good)
    return "before"


def test_a_race_looks_first_where_an_earlier_sweep_was_good(
    ledger: Ledger, ledger_uri: str, earlier: str
) -> None:
    plan = plan_of(spec_of(ledger_uri, prior=(earlier,), **RACE))
    (found,) = prior_sweeps.of_sweep(plan, ledger, None)
    assert (found.sweep, found.known) == ("before", len(plan.configs))
    assert set(found.axes) == {"gamma", "margin", "scale"}
    scores = np.array(found.scores, float)
    truth = np.array([good(config) for config in plan.configs])
    assert np.corrcoef(scores, truth)[0, 1] > 0.9
    opening = {config for config, _ in strategy_of(plan, [found]).ask(200)}
    assert int(scores.argmax()) in opening


def test_the_sweep_keeps_what_guided_it_and_its_board_says_what_that_weighed(
    ledger: Ledger, ledger_uri: str, earlier: str
) -> None:
    spec = spec_of(ledger_uri, name="after", prior=(earlier,), **RACE)
    plan, sweep_id = plan_of(spec), draw(ledger, spec, good)
    kept = prior_sweeps.kept_with(plan, ledger, sweep_id)
    assert kept == prior_sweeps.of_sweep(plan, ledger, sweep_id)
    # More cells of the earlier sweep change nothing for the one that goes on.
    draw(ledger, spec_of(ledger_uri, name="before", seeds=(5, 7), **GRID), lambda config: 0.5)
    assert kept == prior_sweeps.of_sweep(plan, ledger, sweep_id)
    assert kept != prior_sweeps.of_sweep(plan, ledger, None)
    record, outcome = load_record(ledger_uri, "test", "after")
    assert record.spec["prior"] == ["before"]
    (of,) = of_outcome(outcome)["prior"]
    assert of["sweep"] == "before"
    assert of["weight"] > 0.02
    assert of["agreement"] > 0.5
    lines = " ".join(explanation(of_outcome(outcome)))
    assert "Prior: sweep before (trec, roberta-base; " in lines
    assert "No prior has a part in the winner, P(best), the correction or an interval." in lines


def test_of_a_misleading_sweep_the_weight_shrinks(
    ledger: Ledger, ledger_uri: str, earlier: str
) -> None:
    plan = plan_of(spec_of(ledger_uri, prior=(earlier,), **RACE))
    (found,) = prior_sweeps.of_sweep(plan, ledger, None)
    rng = np.random.default_rng(0)
    truth = np.array([good(config) for config in plan.configs])
    shuffled = replace(found, scores=tuple(rng.permutation(np.array(found.scores)).tolist()))
    cells = truth[:, None] + rng.normal(0, 0.01, (len(truth), len(plan.blocks)))
    (well,) = weigh(plan.problem, cells, [found])
    (ill,) = weigh(plan.problem, cells, [shuffled])
    assert well.weight is not None
    assert ill.weight is not None
    assert abs(ill.weight) < 0.25 * well.weight
    assert weigh(plan.problem, np.full_like(cells, np.nan), [found])[0].weight is None


def test_the_figures_come_from_the_sweep_s_own_cells_whatever_guided_it(
    ledger: Ledger, ledger_uri: str, earlier: str
) -> None:
    spec = spec_of(ledger_uri, name="after", prior=(earlier,), **RACE)
    sweep_id = draw(ledger, spec, good)
    plan = plan_of(spec)
    _, outcome = load_record(ledger_uri, "test", "after")
    (found,) = prior_sweeps.of_sweep(plan, ledger, sweep_id)
    turned = replace(found, scores=tuple(-np.array(found.scores, float)))
    table = outcome.table

    def figures(guides: list[Earlier]) -> dict[str, Any]:
        strategy = strategy_of(plan, guides)
        for config, block in np.argwhere(np.isfinite(table.scores)).tolist():
            strategy.tell(config, block, float(table.scores[config, block]))
        return summary(plan, table, ranked(plan, table, ledger, sweep_id, strategy=strategy))

    without = figures([])
    assert without["winner"]["corrected"] is not None
    assert figures([found]) == figures([turned]) == without
    assert {**of_outcome(outcome), "prior": []}["winner"] == without["winner"]


def other(ledger: Ledger, uri: str, data: str, **changes: Any) -> None:
    fields = {"name": data, "data": DataRef(name=data), **GRID, **changes}
    draw(ledger, spec_of(uri, **fields), good)


def found(ledger: Ledger, uri: str, **changes: Any) -> list[str]:
    budget = {"max_cells": 100, **changes.pop("budget", {})}
    spec = spec_of(uri, **{**RACE, "budget": budget, **changes})
    return [one.sweep for one in prior_sweeps.of_sweep(plan_of(spec), ledger, None)]


def test_without_a_word_those_of_other_data_guide_a_race(
    ledger: Ledger, ledger_uri: str, earlier: str
) -> None:
    assert found(ledger, ledger_uri) == [], "the same rows"
    other(ledger, ledger_uri, "mr")
    other(ledger, ledger_uri, "sst5", model="bert-base-uncased")
    of_another_space(ledger, ledger_uri)
    of_other_values(ledger, ledger_uri)
    assert found(ledger, ledger_uri) == ["mr", "sst5"], "that of the same model first"
    other(ledger, ledger_uri, "isear")
    other(ledger, ledger_uri, "isear", name="again")
    other(ledger, ledger_uri, "liar")
    assert found(ledger, ledger_uri) == ["liar", "again", "mr"], "three at most, each of other data"
    assert found(ledger, ledger_uri, prior=()) == []
    assert found(ledger, ledger_uri, prior=("sst5",)) == ["sst5"]
    assert found(ledger, ledger_uri, strategy="random") == []
    assert found(ledger, ledger_uri, nested=True) == []


def test_a_race_of_few_cells_is_guided_by_what_was_named_alone(
    ledger: Ledger, ledger_uri: str
) -> None:
    other(ledger, ledger_uri, "mr")
    blocks = 6  # the baseline's, and five configs'
    assert found(ledger, ledger_uri, budget={"max_cells": 6 * blocks}) == ["mr"]
    assert found(ledger, ledger_uri, budget={"max_cells": 6 * blocks - 1}) == []
    assert found(ledger, ledger_uri, budget={"max_cells": 9}, prior=("mr",)) == ["mr"]


def test_no_code_is_loaded_for_a_sweep_that_nobody_named(
    ledger: Ledger, ledger_uri: str, tmp_path: Path
) -> None:
    other(ledger, ledger_uri, "mr")
    code = tmp_path / "theirs.py"
    code.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    for data, plugin in (("liar", code), ("sst5", tmp_path / "gone.py")):
        spec = spec_of(ledger_uri, name=data, data=DataRef(name=data), **GRID)
        plan = plan_of(spec)
        text = to_json(plan)
        text["spec"]["plugin"] = str(plugin)
        text["plugin_text"] = code.read_text()
        ledger.start_sweep(data, text, sweep_tags(plan))
    assert found(ledger, ledger_uri) == ["mr"]
    assert not (tmp_path / "ran").exists()


def test_a_sweep_that_goes_on_takes_no_earlier_one_anew(ledger: Ledger, ledger_uri: str) -> None:
    spec = spec_of(ledger_uri, name="after", **{**RACE, "budget": {"max_cells": 100}})
    sweep_id = draw(ledger, spec, good)
    other(ledger, ledger_uri, "mr")
    assert prior_sweeps.of_sweep(plan_of(spec), ledger, sweep_id) == []
    again = spec.model_copy(update={"name": "again"})
    guided = draw(ledger, again, good)
    other(ledger, ledger_uri, "liar")
    assert [one.sweep for one in prior_sweeps.of_sweep(plan_of(again), ledger, guided)] == ["mr"]
    record, outcome = load_record(ledger_uri, "test", "again")
    assert "prior" not in record.spec
    (of,) = of_outcome(outcome)["prior"]
    assert of["sweep"] == "mr"


def test_a_race_that_begins_says_what_guides_it(ledger: Ledger, ledger_uri: str) -> None:
    other(ledger, ledger_uri, "mr")
    plan = plan_of(spec_of(ledger_uri, **{**RACE, "budget": {"max_cells": 100}}))
    earlier = prior_sweeps.of_plan(plan)
    lines = guidance(earlier, len(plan.configs), named=False)
    assert lines == [
        "Prior: sweep mr (mr, roberta-base; 114 cells) has 19 of these 19 configs by gamma, "
        "scale, margin.",
        "Priors guide which cells are trained, and no figure of the result. `--prior none` leaves "
        "them out.",
    ]
    assert guidance([], 19, named=False) == []


def test_a_prior_changes_no_cell_s_key(ledger_uri: str) -> None:
    guided, alone = (
        plan_of(spec_of(ledger_uri, prior=prior, **RACE)) for prior in (("before",), None)
    )
    assert guided.keys == alone.keys
    assert "prior" not in alone.spec.model_dump()


def unfinished(ledger: Ledger, uri: str) -> None:
    plan = plan_of(spec_of(uri, name="empty", seeds=(11,), **GRID))
    ledger.start_sweep("empty", to_json(plan), sweep_tags(plan))


def of_another_space(ledger: Ledger, uri: str) -> None:
    spec = spec_of(uri, name="other", space="contrastive", set_axes={"temperature": (0.1, 0.3)})
    plan = plan_of(spec)
    ledger.start_sweep("other", to_json(plan), sweep_tags(plan))


def of_other_axes(ledger: Ledger, uri: str) -> None:
    axes = {**AXES, "margin": (0.3,), "scale": (3.3,), "gamma": (0.1,), "k": (10, 100)}
    draw(ledger, spec_of(uri, name="axes", seeds=(1,), **{**GRID, "set_axes": axes}), good)


def of_other_values(ledger: Ledger, uri: str) -> None:
    axes = {**AXES, "margin": (0.1, 0.7), "scale": (2.0, 8.0), "gamma": (0.03, 0.05)}
    draw(ledger, spec_of(uri, name="values", seeds=(1,), **{**GRID, "set_axes": axes}), good)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("gone", None, "'gone'"),
        ("empty", unfinished, "none of its cells has a score for accuracy"),
        ("other", of_another_space, "searched the space 'contrastive', and this one searches"),
        ("axes", of_other_axes, "no axis is searched by both"),
        ("values", of_other_values, "it has none of the values that this sweep searches on"),
    ],
)
def test_what_can_be_no_prior_is_refused(
    ledger: Ledger,
    ledger_uri: str,
    earlier: str,
    name: str,
    make: Callable[[Ledger, str], None] | None,
    says: str,
) -> None:
    if make is not None:
        make(ledger, ledger_uri)
    with pytest.raises(InputError, match="(?s)" + says.replace("(", r"\(")):
        prior_sweeps.check(spec_of(ledger_uri, prior=(name,), **RACE))


def test_it_is_refused_before_torch_is_imported(ledger_uri: str, ledger: Ledger) -> None:
    words = ["run", "softtriple", "--data", "trec", "--prior", "gone", "--tracking-uri", ledger_uri]
    program = (
        "import sys; from search.cli import main\n"
        f"code = main({words!r})\n"
        "print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split() == ["2", "False"], done.stderr
    assert "--prior gone: No sweep in" in done.stderr
