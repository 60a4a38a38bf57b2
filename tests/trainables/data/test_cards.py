"""Every data set declares what a user must know of it."""

from __future__ import annotations

import re

import pytest

from trainables.engine import registry
from trainables.engine.card import DatasetCard

NAMES = registry.names("trainables.data")


def card(name: str) -> DatasetCard:
    found = registry.load("trainables.data", name, "DATASET")
    assert isinstance(found, DatasetCard)
    return found


def test_the_data_sets_of_the_papers_are_there() -> None:
    papers = {
        "sst2", "imdb", "mr", "mpqa", "subj", "trec", "cr", "mrpc",
        "goemotions", "isear", "emoint", "empathetic_dialogues", "isot", "factify2", "mediaeval_5g",
    }  # fmt: skip
    assert papers <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_complete(name: str) -> None:
    found = card(name)
    assert found.name == name
    assert len(found.classes) == len(set(found.classes)) >= 2
    assert found.about
    assert found.citation
    assert found.licence
    assert re.search(r"(19|20)\d\d", found.citation)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_leads_somewhere(name: str) -> None:
    found = card(name)
    assert found.hub_id is not None or found.wheel is not None or found.obtain
    if found.hub_id is not None:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", found.hub_id)
    assert set(found.hub_classes) in (set(), set(found.classes))
    assert not set(found.leave_out) & set(found.classes)
    assert {part for _, part in (*found.parts, *found.hub_parts)} <= {"train", "valid", "test"}
