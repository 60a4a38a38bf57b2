"""Tables from what the hub's loader returns: real `datasets` objects, no network."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import huggingface_hub
import pytest

from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.columns import text_data
from trainables.engine.datasets.hub import HubSource, card_source, read_hub, table_of_parts
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError
from trainables.engine.text_data import TextData

CLASSES = datasets.Features(
    {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
)


def loaded(features: datasets.Features | None = None, **parts: dict[str, list]) -> dict:
    return {
        name: datasets.Dataset.from_dict(columns, features=features)
        for name, columns in parts.items()
    }


def of_card(name: str, parts: dict) -> TextData:
    """What `load_data` makes of a registry name once the hub's loader has answered."""
    card = registry.load("trainables.data", name, "DATASET")
    wanted = [card.text, card.text_b or "", card.label, "split"]
    table = table_of_parts(parts, card_source(card, card.hub_id), wanted, card.label)
    return text_data(
        table, text=card.text, text_b=card.text_b, label=card.label, name=name, card=card
    )


def test_parts_are_joined_in_order_and_hidden_labels_left_out() -> None:
    parts = loaded(
        CLASSES,
        train={"sentence": ["a", "b"], "label": [1, 0]},
        test={"sentence": ["c", "d"], "label": [-1, -1]},
    )
    table = table_of_parts(parts, HubSource(hub_id="o/n"), ["sentence", "label"], "label")
    assert table.columns == {
        "sentence": ["a", "b"], "label": ["good", "bad"], "split": ["train", "train"],
    }  # fmt: skip
    assert table.notes == ("2 rows without a public label left out",)


def test_words_and_plain_numbers_of_the_hub_stay_as_they_are() -> None:
    parts = loaded(train={"text": ["a", "b"], "label": [3, 1]})
    table = table_of_parts(parts, HubSource(hub_id="o/n"), ["text", "label"], "label")
    data = text_data(table, text="text", text_b=None, label="label", name="n")
    assert data.label_names == ("1", "3")


def test_glue_pairs_get_their_own_class_names() -> None:
    features = datasets.Features(
        {
            "sentence1": datasets.Value("string"),
            "sentence2": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["not_equivalent", "equivalent"]),
        }
    )
    rows = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [1, 0]}
    data = of_card("mrpc", loaded(features, train=rows, validation=rows, test=rows))
    assert data.label_names == ("not_paraphrase", "paraphrase")
    assert data.texts_b == ("c", "d") * 3
    assert data.official is not None
    assert data.official.tolist() == ["train"] * 2 + ["valid"] * 2 + ["test"] * 2


def test_sst2_takes_the_validation_part_as_the_test_part() -> None:
    parts = loaded(
        datasets.Features(
            {
                "sentence": datasets.Value("string"),
                "label": datasets.ClassLabel(names=["negative", "positive"]),
            }
        ),
        train={"sentence": ["a", "b"], "label": [1, 0]},
        validation={"sentence": ["c"], "label": [1]},
        test={"sentence": ["d"], "label": [-1]},
    )
    data = of_card("sst2", parts)
    assert data.official is not None
    assert data.official.tolist() == ["train", "train", "test"]


def test_of_several_emotions_none_counts() -> None:
    names = [*registry.load("trainables.data", "goemotions", "DATASET").classes, "neutral"]
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "labels": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    rows = {"text": list("abcd"), "labels": [[2], [0, 2], [27], [0]]}
    data = of_card("goemotions", loaded(features, train=rows))
    assert data.texts == ("a", "d")
    assert data.label_names == ("admiration", "anger")


def test_one_row_a_conversation_is_kept() -> None:
    rows = {
        "utterance_idx": [1, 2, 1],
        "prompt": ["lost", "lost", "won"],
        "context": ["sad", "sad", "joyful"],
    }
    data = of_card("empathetic_dialogues", loaded(train=rows))
    assert data.texts == ("lost", "won")
    assert data.label_names == ("joyful", "sad")


def test_classes_come_in_the_order_of_the_card() -> None:
    names = ["false", "half-true", "mostly-true", "true", "barely-true", "pants-fire"]
    features = datasets.Features(
        {"statement": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
    )
    data = of_card(
        "liar", loaded(features, train={"statement": list("abcdef"), "label": list(range(6))})
    )
    assert data.label_names == registry.load("trainables.data", "liar", "DATASET").classes
    assert data.label_names[data.labels[0]] == "false"


def test_a_split_that_the_hub_lacks_is_named() -> None:
    parts = loaded(CLASSES, train={"sentence": ["a"], "label": [1]})
    source = HubSource(hub_id="o/n", parts=(("dev", "valid"),))
    with pytest.raises(DataError, match="o/n has no split 'dev'; it has: train"):
        table_of_parts(parts, source, ["sentence", "label"], "label")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOLDRACE_DATA", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("subj", r"SetFit/subj is not in its cache .*subj\.parquet .*FOLDRACE_DATA"),
        ("someone/unheard-of-set", r"unheard-of-set is not in its cache.*Give a local \.csv"),
    ],
)
def test_without_a_network_the_answer_is_quick_and_says_what_to_do(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(DataRef(name=name))


@pytest.mark.usefixtures("no_network")
def test_being_offline_is_undone() -> None:
    before = datasets.config.HF_HUB_OFFLINE
    with pytest.raises(DataError, match="cannot be reached"):
        read_hub(HubSource(hub_id="someone/unheard-of-set"), ["text"], "label")
    assert before == datasets.config.HF_HUB_OFFLINE


@pytest.mark.usefixtures("no_network")
def test_the_loader_itself_reads_a_data_set_without_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real `load_dataset`, on a folder laid out like a repository of the hub."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "owner" / "data"
    folder.mkdir(parents=True)
    for part, texts in {"train": ["a", "b"], "test": ["c", "d"]}.items():
        rows = [{"text": text, "label": i} for i, text in enumerate(texts)]
        (folder / f"{part}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    table = read_hub(HubSource(hub_id=str(folder)), ["text", "label"], "label")
    assert table.columns == {
        "text": ["a", "b", "c", "d"],
        "label": [0, 1, 0, 1],
        "split": ["train", "train", "test", "test"],
    }


@pytest.mark.usefixtures("no_network")
def test_code_of_the_hub_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.py").write_text("raise SystemExit('this code ran')\n")
    with pytest.raises(DataError, match="needs Python code from the hub"):
        read_hub(HubSource(hub_id=str(tmp_path / "data")), ["text"], "label")
