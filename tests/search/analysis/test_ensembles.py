"""Sweeps that cannot be one ensemble are told apart before a prediction is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from search.analysis.ensembles import check_alike
from search.errors import InputError
from search.planning.plan import Plan
from tests import factories


def a_plan(name: str, space: str = "tweets", **change: Any) -> Plan:
    return factories.plan(space, name=name, **change)


def test_another_encoder_on_the_same_rows_and_folds_may_join() -> None:
    check_alike([a_plan("one"), a_plan("two", model="roberta-base")])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seeds": (2, 128)}, "seeds differ, (2, 16) and (2, 128)"),
        ({"folds": 3}, "split differ, {'folds': 2, 'holdout': None} and {'folds': 3"),
        ({"space": "softtriple"}, "objective differ, matthews and accuracy"),
    ],
)
def test_what_differs_is_named(change: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError) as caught:
        check_alike([a_plan("one"), a_plan("two", **change)])
    assert "Sweeps 'one' and 'two' cannot be one ensemble" in str(caught.value)
    assert what in str(caught.value)


def test_other_data_are_named_by_their_fingerprints() -> None:
    other = a_plan("two")
    other = replace(other, task=replace(other.task, data_fingerprint="b" * 64))
    with pytest.raises(
        InputError, match=r"their data differ, [0-9a-f]{16} and b{16}\..*--metadata"
    ):
        check_alike([a_plan("one"), other])
