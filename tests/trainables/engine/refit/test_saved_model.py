"""What was trained is what comes back: from a Hugging Face folder, by transformers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    RobertaConfig,
)

from tests import factories
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import NotServedError
from trainables.engine.models.pooling import activation
from trainables.engine.refit import saved_model
from trainables.engine.refit.network import FinalNetwork, train
from trainables.engine.splits import folds

TEXTS = ["the film was great", "a dull story", "superb", "the end was awful and cold and poor"]
WORDS = 40
CONFIGS: dict[str, Any] = {
    "bert": BertConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    ),
    "roberta": RobertaConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        pad_token_id=0,
    ),
    "electra": ElectraConfig(
        vocab_size=WORDS,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    ),
    "distilbert": DistilBertConfig(
        vocab_size=WORDS, dim=32, n_layers=2, n_heads=2, hidden_dim=64, pad_token_id=0
    ),
}


def network(kind: str, tiny_encoder: Path, **changes: Any) -> FinalNetwork:
    """A random network on a random encoder; logits of the size that trained ones have."""
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        body = AutoModel.from_config(CONFIGS[kind])
        head = nn.Linear(32, 3)
        nn.init.normal_(head.weight, std=1.0)
        nn.init.normal_(head.bias)
    if getattr(body, "pooler", None) is not None:
        body.pooler = None
    fields: dict[str, Any] = {
        "encoder": body,
        "head": head,
        "layer": "output",
        "pooling": "cls",
        "tokenizer": AutoTokenizer.from_pretrained(tiny_encoder),
        "max_length": 12,
        "label_names": ("good", "bad", "so so"),
        "pairs": False,
        **changes,
    }
    return FinalNetwork(**fields)


def reloaded(folder: Path, trust: bool) -> np.ndarray[Any, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=trust)
    given = tokenizer(TEXTS, truncation=True, padding=True, return_tensors="pt")
    accepted = {name: given[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        found: np.ndarray[Any, Any] = model(**accepted).logits.softmax(-1).numpy()
    return found


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_first_token_classifier_becomes_the_stock_class(
    kind: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    found = network(kind, tiny_encoder)
    assert saved_model.is_stock(found)
    saved_model.save(found, tmp_path)
    assert not (tmp_path / "modeling.py").exists()
    config = AutoConfig.from_pretrained(tmp_path)
    assert config.id2label == {0: "good", 1: "bad", 2: "so so"}
    # float32 keeps seven digits; the logits are of size ten.
    np.testing.assert_allclose(reloaded(tmp_path, False), found.probabilities(TEXTS), atol=2e-5)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_classifier_behind_a_pooler_is_the_stock_class_layer_by_layer(
    kind: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    with torch.random.fork_rng():
        torch.random.manual_seed(1)
        head = nn.Sequential(nn.Linear(32, 32), activation(kind), nn.Linear(32, 3))
    found = network(kind, tiny_encoder, head=head)
    assert saved_model.is_stock(found)
    saved_model.save(found, tmp_path)
    assert not (tmp_path / "modeling.py").exists()
    np.testing.assert_allclose(reloaded(tmp_path, False), found.probabilities(TEXTS), atol=1e-6)


def test_a_pooler_with_another_activation_comes_with_its_own_code(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    head = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
    found = network("electra", tiny_encoder, head=head)
    assert not saved_model.is_stock(found)
    saved_model.save(found, tmp_path)
    np.testing.assert_allclose(reloaded(tmp_path, True), found.probabilities(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "layer", "wide"),
    [("mean", "output", False), ("mean", "embeddings", False), ("cls", "output", True)],
)
def test_any_other_comes_with_its_own_code(
    pooling: str, layer: str, wide: bool, tiny_encoder: Path, tmp_path: Path
) -> None:
    head = nn.Sequential(nn.Linear(32, 8), nn.GELU(), nn.Linear(8, 3)) if wide else nn.Linear(32, 3)
    found = network("bert", tiny_encoder, pooling=pooling, layer=layer, head=head)
    saved_model.save(found, tmp_path)
    np.testing.assert_allclose(reloaded(tmp_path, True), found.probabilities(TEXTS), atol=1e-6)
    with pytest.raises(ValueError, match=r"trust_remote_code|foldrace-pooled"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path, trust_remote_code=False)


def test_more_classes_than_the_head_has_room_for_take_own_code(tiny_encoder: Path) -> None:
    names = tuple(str(number) for number in range(17))
    found = network("bert", tiny_encoder, head=nn.Linear(32, 17), label_names=names)
    assert not saved_model.is_stock(found)


TRAINED: dict[str, tuple[str, dict[str, Any]]] = {
    "first token": ("triple_entropy", {"pooling": "cls"}),
    "pooler": ("triple_entropy", {"pooling": "pooler", "hidden_dropout": 0.2, "epochs": 3}),
    "chosen epoch": ("triple_entropy", {"pooling": "pooler", "inner_share": 0.3, "epochs": 4}),
    "chosen epoch of a head": ("linear_eval", {"inner_share": 0.3, "epochs": 5}),
    "top block": ("encoder_linear", {"trainable_blocks": 1}),
    "head": ("linear_eval", {}),
    "projection": ("projection", {"width": 16, "representation": "encoder-first"}),
}


@pytest.mark.parametrize("name", TRAINED)
def test_trained_on_a_cells_rows_it_predicts_what_the_cell_did(
    name: str, reviews: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    trainable, own = TRAINED[name]
    task = task_of_reviews(trainable, tiny_encoder, reviews)
    config = factories.config(trainable, **{"learning_rate": 5e-3, "epochs": 2, **own})
    data = load_data(task.data)
    cell = Cell(key="c" * 64, config=config, seed=2, fold=1)
    results: list[Any] = []
    runner.train_cells(task, [cell], results.append, stack=1, threads=1)
    (result,) = results
    assert result.status == "done", result.error
    train_rows, held_out = folds.held_out(data, task.split, 2, 1)
    np.testing.assert_array_equal(result.rows, held_out)
    found = train(task, data, config, 2, train_rows, fold=1)
    saved_model.save(found, tmp_path)
    texts = [data.texts[row] for row in held_out]
    mine = found.probabilities(texts)
    np.testing.assert_allclose(mine, result.probabilities, atol=2e-5)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path, trust_remote_code=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    given = tokenizer(texts, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        again = model(**given).logits.softmax(-1).numpy()
    np.testing.assert_allclose(again, result.probabilities, atol=5e-5)
    assert Trainable.load(trainable).may_train_heads == (trainable in ("linear_eval", "projection"))


def test_a_config_without_an_encoder_is_refused_with_a_reason(
    reviews: Path, tiny_encoder: Path
) -> None:
    task = task_of_reviews("linear_eval", tiny_encoder, reviews)
    config = factories.config("linear_eval", representation="tfidf-unigram")
    with pytest.raises(NotServedError, match="'tfidf-unigram' is no encoder's"):
        train(task, load_data(task.data), config, 2)
