"""The first line: a victor only where one was shown, the pick allowed for."""

from __future__ import annotations

from typing import Any

import pytest

from search.results.answer import answer, decided, of_cell, of_config
from trainables.engine.contract import CellResult


def document(**changes: Any) -> dict[str, Any]:
    winner: dict[str, Any] = {
        "name": None,
        "label": "beta=0.7",
        "mean": 0.90,
        "corrected": 0.89,
        "gain_corrected": 0.02,
        "gain_corrected_low": 0.01,
        "gain_corrected_high": 0.03,
        "compared": 4,
        "indistinguishable": [{"beta": 0.5}],
        "p_best_stopped": 0.1,
    }
    blank: dict[str, Any] = {
        "baseline": "cross-entropy",
        "mode": "max",
        "blocks": 20,
        "objective": "accuracy",
        "p_best_by": "surrogate",
    }
    own = {name: value for name, value in changes.items() if name in winner}
    rest = {name: value for name, value in changes.items() if name not in winner}
    return {**blank, "winner": {**winner, **own}, **rest}


def test_a_gain_beyond_its_interval_names_the_winner() -> None:
    assert answer(document()) == (
        "beta=0.7 is better than cross-entropy by 2.00 points (1.00 to 3.00), the luck of the "
        "pick taken off; 1 of 3 other finalists cannot be told from it."
    )


def test_where_a_low_score_is_good_the_gain_is_turned_round() -> None:
    low = document(
        mode="min", gain_corrected=-0.02, gain_corrected_low=-0.03, gain_corrected_high=-0.01
    )
    assert decided(low)
    assert "by 2.00 points (1.00 to 3.00)" in answer(low)
    assert not decided(document(mode="min"))
    low["objective"] = "loss"
    assert "by 2.00 hundredths of a nat (1.00 to 3.00)" in answer(low)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gain_corrected_low": -0.01}, "No config is shown to be better than cross-entropy"),
        (
            {"gain_corrected_low": -0.01, "indistinguishable": [{}, {}, {}]},
            "No config can be told from cross-entropy on these 20 blocks.",
        ),
        ({"blocks": 2}, "Nothing can be told apart on 2 blocks"),
        ({"compared": 1}, "there is nothing to tell it from"),
        ({"baseline": None, "indistinguishable": [{}, {}, {}]}, "cannot be told apart"),
        ({"winner": None}, "Nothing can be named yet"),
        ({"gain_corrected_low": None, "gain_corrected_high": None}, "No config is shown"),
    ],
)
def test_where_nothing_was_shown_no_victor_is_named_with_a_gain(
    changes: dict[str, Any], words: str
) -> None:
    text = answer(document(**changes))
    assert words in text
    assert "is better" not in text
    assert "2.00" not in text


def test_a_baseline_that_leads_is_said_to_be_unbeaten_only_where_others_were_shown_worse() -> None:
    assert "Nothing with all of its 20 blocks beats cross-entropy" in answer(
        document(name="cross-entropy")
    )
    tied = document(name="cross-entropy", indistinguishable=[{}, {}, {}])
    assert answer(tied) == "No config can be told from cross-entropy on these 20 blocks."


def test_without_a_baseline_the_best_is_named_with_its_corrected_mean() -> None:
    text = answer(document(baseline=None))
    assert text.startswith("beta=0.7 is the best: 90.00 points, 89.00 with the luck")


def test_a_race_whose_best_is_probably_not_complete_is_not_decided() -> None:
    text = answer(document(p_best_stopped=0.97))
    assert text == (
        "Not decided: the best config is probably one that lacks cells (probability 0.97). Of "
        "those with all of their 20 blocks, beta=0.7 leads with 90.00 points."
    )
    assert "better than" in answer(document(p_best_stopped=0.97, p_best_by="posterior"))


def test_a_config_is_described_by_what_is_known_of_it() -> None:
    known = {"mean": 0.862, "ci_low": 0.851, "ci_high": 0.873}
    assert of_config(known, "accuracy", cells=12, blocks=20, seconds=241.0) == (
        "accuracy 86.20 points (85.10 to 87.30) over 12 of 20 cells. Trained in 4 min."
    )
    whole = {**known, "gain": 0.0045, "p_best": 0.618}
    assert of_config(whole, "accuracy", cells=20, blocks=20, seconds=9.0) == (
        "accuracy 86.20 points (85.10 to 87.30) over 20 of 20 cells; +0.45 beside the "
        "baseline; the best config with probability 0.62. Trained in 9 s."
    )
    bare = of_config({"mean": 0.5}, "loss", cells=1, blocks=1, seconds=0.0)
    assert bare.startswith("loss 50.00 hundredths of a nat over 1 of 1 cell.")
    assert of_config({"mean": None}, "accuracy", cells=0, blocks=20, seconds=3.0) == (
        "None of its 20 cells has a score yet. Trained in 3 s."
    )


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            CellResult(key="key", status="done", metrics={"accuracy": 0.862, "seconds": 12.0}),
            "accuracy 86.20 points on seed 1, fold 3 of k=10, trained in 12 s.",
        ),
        (
            CellResult(key="key", status="failed", error="out of memory"),
            "No score on seed 1, fold 3 of k=10: failed, out of memory",
        ),
        (
            CellResult(key="key", status="done", metrics={"loss": 0.1}),
            "No score on seed 1, fold 3 of k=10: it has no metric 'accuracy'",
        ),
    ],
)
def test_a_cell_is_described_by_its_score_or_the_lack_of_it(result: CellResult, words: str) -> None:
    assert of_cell(result, "accuracy", 1, 3, "k=10") == words
