"""Every data set declares what a user must know of it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.dataset_card import DatasetCard
from trainables.engine.datasets.load import load_data

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


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("empathetic_dialogues_16", 13_590),
        ("empathetic_dialogues_8", 6_838),
        ("empathetic_dialogues_4", 3_287),
        ("empathetic_dialogues_hard_a", 2_961),
        ("empathetic_dialogues_hard_b", 3_026),
        ("empathetic_dialogues_hard_c", 3_010),
        ("empathetic_dialogues_hard_d", 3_233),
    ],
)
def test_a_subset_is_the_rows_of_its_classes(
    name: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = card("empathetic_dialogues"), card(name)
    assert part.of == whole.name
    assert set(part.classes) | set(part.leave_out) == set(whole.classes)
    assert f"{rows:,}" in part.about
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path))
    with (tmp_path / "empathetic_dialogues.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        table.writerows((f"{label} {i}", label) for label in whole.classes for i in range(3))
    _as_parquet(tmp_path / "empathetic_dialogues.csv")
    found = load_data(DataRef(name=name.replace("_", "-")))
    assert found.label_names == part.classes
    assert len(found) == 3 * len(part.classes)
    assert {text.split()[0] for text in found.texts} == set(part.classes)


def _as_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(path), path.with_suffix(".parquet"))


def test_a_subset_of_classes_that_are_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="emoint has no classes boredom"):
        card("emoint").subset("x", "x", ("anger", "boredom"))
