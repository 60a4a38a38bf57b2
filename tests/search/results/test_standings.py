"""The leaderboard's order, its gains, and what it says of cells that are missing."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import baycomp
import numpy as np
import pytest

from search import formatting
from search.console import leaderboard, live
from search.planning.plan import Plan
from search.results.document import of_standings, summary
from search.results.score_matrix import ScoreMatrix
from search.results.standings import rank
from tests import factories
from trainables.engine.contract import CellResult


@pytest.fixture
def plan() -> Plan:
    """Four configs over four blocks: the baseline and three values of beta."""
    return factories.plan(set_axes={"beta": (0.5, 0.7, 0.9)})


SCORES = np.array(
    [
        [0.70, 0.72, 0.74, 0.76],
        [0.71, 0.74, 0.75, 0.78],
        [0.60, 0.61, math.nan, math.nan],
        [0.80, 0.81, 0.84, 0.85],
    ]
)


def test_complete_configs_stand_first_and_the_gain_is_paired(plan: Plan) -> None:
    standings = rank(plan, SCORES, winner=3)
    assert [row.config for row in standings.rows] == [3, 1, 0, 2]
    first = standings.rows[0]
    assert (first.status, first.cells) == ("winner", 4)
    assert first.delta == pytest.approx(0.095)
    assert first.delta_low is not None
    assert first.delta_low > 0, "every cell gains: the paired interval must show it"
    assert standings.rows[2].delta is None, "the baseline gains nothing over itself"


def test_a_partial_config_is_compared_on_the_cells_it_shares(plan: Plan) -> None:
    row = rank(plan, SCORES, winner=3).rows[-1]
    assert (row.status, row.cells) == ("partial", 2)
    assert row.cells_mean == pytest.approx(0.605)
    easier = (SCORES[:, :2].mean(axis=1) - SCORES.mean(axis=1))[[0, 1, 3]].mean()
    assert row.mean == pytest.approx(0.605 - easier), "as if it had met all blocks"
    assert row.delta == pytest.approx(0.605 - 0.71), "against the baseline's first two cells"


def test_a_config_whose_cell_failed_says_so_and_is_not_averaged_away(plan: Plan) -> None:
    row = rank(plan, SCORES, winner=3, failed=frozenset({2})).rows[-1]
    assert row.status == "failed"


def test_a_winner_that_lost_a_cell_is_compared_by_the_others(plan: Plan) -> None:
    lost = SCORES.copy()
    lost[2] = [0.62, 0.60, 0.63, 0.66]
    lost[3, 3] = math.nan  # the easiest block
    standings = rank(plan, lost, winner=3, failed=frozenset({3}))
    first = standings.rows[0]
    assert (first.status, first.cells, standings.compared) == ("winner", 3, 4)
    assert first.mean > np.nanmean(lost[3]), "as if it had met the easy block, too"
    assert first.delta == pytest.approx(np.mean([0.10, 0.09, 0.10]))
    assert standings.indistinguishable == ()
    assert standings.correction is not None
    assert 0 <= standings.luck < 0.05
    assert standings.correction.score == pytest.approx(first.mean - standings.luck)
    json.dumps(of_standings(plan, standings), allow_nan=False)


def test_only_what_the_paired_test_cannot_tell_is_called_indistinguishable(plan: Plan) -> None:
    noisy = SCORES.copy()
    noisy[1] = noisy[3] + [0.004, -0.001, 0.003, -0.002]
    standings = rank(plan, noisy, winner=1)
    assert standings.indistinguishable == (3,)


def test_before_a_config_is_complete_there_is_no_winner(plan: Plan) -> None:
    scores = np.full((4, 4), math.nan)
    scores[:, 0] = 0.5
    table = ScoreMatrix(scores, scores.copy())
    document = summary(plan, table, rank(plan, scores, winner=None))
    assert document["winner"] is None
    assert document["cells_done"] == 4
    assert any("no winner" in line for line in leaderboard.explanation(document))


def test_the_document_has_the_contract_s_fields_and_is_json(plan: Plan) -> None:
    table = ScoreMatrix(SCORES, SCORES.copy(), reused=5, foreign=3)
    document = summary(plan, table, rank(plan, SCORES, winner=3))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["cells_planned"] == 16
    assert document["cells_reused"] == 3
    fields = {
        *("rank", "config", "mean", "ci_low", "ci_high", "cells", "p_best"),
        *("delta_baseline", "delta_ci_low", "delta_ci_high", "status"),
    }
    assert all(fields <= set(row) for row in document["configs"])
    assert document["winner"]["config"]["beta"] == 0.9
    assert document["winner"]["corrected"] <= document["winner"]["mean"] + 1e-12


def test_the_screen_shows_points_and_says_what_each_figure_is(
    plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    table = ScoreMatrix(SCORES, SCORES.copy())
    leaderboard.show_leaderboard(summary(plan, table, rank(plan, SCORES, winner=3)), top=2)
    shown = capsys.readouterr().out
    assert "82.50" in shown
    assert "+9.50" in shown
    assert "and 2 more" in shown
    assert "corrected for that luck" in shown


def test_progress_without_a_terminal_is_lines(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    shown = live.display()
    table = ScoreMatrix(np.full((4, 4), math.nan), np.full((4, 4), math.nan), reused=15)
    shown.on_start(plan, table, 16)
    shown.on_workers(2, dict)
    result: Any = CellResult(key="k", status="diverged", error="the loss became nan")
    shown.on_cell(plan, table, (3, 0), result)
    shown.on_end()
    assert "16 of at most 16 cells" in stream.getvalue()
    assert "diverged: beta=0.9" in stream.getvalue()
    assert "the loss became nan" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7, "7 s"), (240, "4 min"), (9000, "2.5 h"), (400_000, "4.6 days")],
)
def test_durations_are_said_as_a_person_would(seconds: float, words: str) -> None:
    assert formatting.duration(seconds) == words


def test_a_config_stopped_early_keeps_its_chance_of_being_best(plan: Plan) -> None:
    scores = SCORES.copy()
    scores[2] = [0.79, 0.80, math.nan, math.nan]  # a point below the winner, half of it unseen
    standings = rank(plan, scores, winner=3)
    by_config = {row.config: row.p_best for row in standings.rows}
    assert standings.chances is not None
    assert standings.chances.by == "surrogate"
    assert by_config[2] is not None
    assert by_config[2] > 0.01, "probably not the best is not certainly not"
    assert sum(p or 0.0 for p in by_config.values()) == pytest.approx(1.0)
    winner = of_standings(plan, standings)["winner"]
    assert winner["p_best_stopped"] == pytest.approx(by_config[2])


def test_when_all_is_measured_p_best_is_the_correlated_t_tests(plan: Plan) -> None:
    scores = SCORES.copy()
    scores[2] = scores[0] - 0.1
    standings = rank(plan, scores, winner=3)
    assert standings.chances is not None
    assert standings.chances.by == "correlated t-test"
    assert of_standings(plan, standings)["winner"]["p_best_stopped"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("rope", [0.0, 0.005, 0.05])
def test_each_config_is_compared_with_winner_and_baseline_as_baycomp_does(
    plan: Plan, rope: float
) -> None:
    row = next(row for row in rank(plan, SCORES, winner=3, rope=rope).rows if row.config == 1)
    for found, other in ((row.versus_winner, 3), (row.versus_baseline, 0)):
        expected = baycomp.CorrelatedTTest.probs(SCORES[1], SCORES[other], rope=rope, runs=2)
        assert found is not None
        got = [found.better, found.equal, found.worse] if rope else [found.better, found.worse]
        # baycomp names its first classifier's chance first, and halves what is equal at no rope.
        np.testing.assert_allclose(got, expected, atol=1e-9)


def test_no_chance_is_named_before_the_leaders_share_three_blocks(plan: Plan) -> None:
    scores = np.full((4, 4), math.nan)
    scores[0] = SCORES[0]
    scores[1:, 0] = [0.9, 0.6, 0.5]  # one cell each, and one of them far ahead
    assert all(row.p_best is None for row in rank(plan, scores, winner=0).rows)
    scores[1:3, :3] = [[0.9, 0.91, 0.92], [0.6, 0.61, 0.62]]
    assert all(row.p_best is not None for row in rank(plan, scores, winner=0).rows)


def test_what_is_said_of_the_winners_gain_is_without_the_luck_of_the_pick(plan: Plan) -> None:
    rng = np.random.default_rng(0)
    scores = 0.7 + rng.normal(0, 0.02, (4, 4))  # nothing is better than anything
    best = int(scores.mean(axis=1).argmax())
    standings = rank(plan, scores, winner=best)
    winner = of_standings(plan, standings)["winner"]
    luck = winner["mean"] - winner["corrected"]
    assert luck > 0
    assert winner["gain_corrected"] == pytest.approx(winner["gain"] - luck)
    gains = scores[best] - scores[0] - luck
    expected = baycomp.CorrelatedTTest.probs(gains, np.zeros(4), rope=0.005, runs=2)
    got = winner["versus_baseline"]
    np.testing.assert_allclose([got[k] for k in ("better", "equal", "worse")], expected, atol=1e-9)


def test_too_few_shared_cells_are_no_comparison(plan: Plan) -> None:
    rows = rank(plan, SCORES, winner=3).rows
    assert rows[-1].cells == 2
    assert rows[-1].versus_winner is None
    assert rows[0].versus_winner is None, "a winner is not compared with itself"


def test_the_screen_names_form_rivals_and_the_chance_against_the_baseline(plan: Plan) -> None:
    scores = SCORES.copy()
    scores[2] = scores[3] + [0.004, -0.002, 0.003, -0.004]
    standings = rank(plan, scores, winner=3)
    text = " ".join(leaderboard.explanation(summary(plan, ScoreMatrix(scores, scores), standings)))
    assert "by a bootstrap over blocks" in text
    assert "1 complete config cannot be told from the winner at 5%: beta=0.7" in text
    assert "better by more than 0.50 points with probability" in text


def test_an_interval_beyond_what_a_score_can_be_is_owned_up_to(plan: Plan) -> None:
    wide = SCORES.copy()
    wide[3] = [0.80, 1.0, 0.84, 1.0]
    for scores, said in ((SCORES, False), (wide, True)):
        document = summary(plan, ScoreMatrix(scores, scores), rank(plan, scores, winner=3))
        assert (max(row["ci_high"] or 0 for row in document["configs"]) > 1) == said
        lines = leaderboard.explanation(document)
        assert any("its cells are too few" in line for line in lines) == said
