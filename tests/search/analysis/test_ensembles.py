"""Sweeps that cannot be one ensemble are told apart before a prediction is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from search.analysis.ensembles import check_alike
from search.planning.plan import Plan
from search.planning.prepare import rebuild
from search.spec import InputError, make_spec
from trainables.engine.contract import DataRef, Split, Task


def a_plan(name: str, **change: Any) -> Plan:
    ref = DataRef(name="tweets.csv")
    fields: dict[str, Any] = {"space": "tweets", "data": ref, "model": "minilm", "name": name}
    spec = make_spec(**{**fields, **change})
    task = Task(
        trainable="tweets",
        version=1,
        data=ref,
        data_fingerprint="a" * 64,
        model=spec.model,
        model_fingerprint=spec.model,
        split=Split(folds=spec.folds),
    )
    return rebuild(spec, task)


def test_another_encoder_on_the_same_rows_and_folds_may_join() -> None:
    check_alike([a_plan("one"), a_plan("two", model="roberta-base")])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seeds": (2, 16)}, "seeds differ, (2, 16, 128, 2048) and (2, 16)"),
        ({"folds": 3}, "split differ, {'folds': 5, 'holdout': None} and {'folds': 3"),
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
    with pytest.raises(InputError, match=r"their data differ, aaaa.* and bbbb.*--metadata"):
        check_alike([a_plan("one"), other])
