"""The first line: a victor only where one was shown, the pick allowed for."""

from __future__ import annotations

from typing import Any

import pytest

from search.results.answer import answer, decided


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
