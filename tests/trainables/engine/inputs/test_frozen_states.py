"""Training the top blocks on kept hidden states is training them on the whole encoder."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import checks, runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import ConfigError
from trainables.engine.inputs import frozen_states, tokens
from trainables.engine.models import frozen_blocks, pretrained

SIZES = {"vocab_size": 40, "max_position_embeddings": 24, "pad_token_id": 0}
BERT = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
ENCODERS = {
    "bert": (BertModel, BertConfig(**SIZES, **BERT, intermediate_size=24)),
    "roberta": (
        RobertaModel,
        RobertaConfig(**{**SIZES, "pad_token_id": 1}, **BERT, intermediate_size=24),
    ),
    "electra": (ElectraModel, ElectraConfig(**SIZES, **BERT, intermediate_size=24)),
    "distilbert": (
        DistilBertModel,
        DistilBertConfig(**SIZES, dim=16, n_layers=3, n_heads=2, hidden_dim=24),
    ),
}
CONFIG = config("triple_entropy", trainable_blocks=1, warmup_fraction=0.0, epochs=2, clip_norm=1.0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    frozen_states.tokens.cache_clear()
    torch.set_num_threads(1)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("triple_entropy", tiny_encoder, reviews)


def network(kind: str) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        build, config = ENCODERS[kind]
        return build(copy.deepcopy(config)).eval().double()


@pytest.mark.parametrize("trained", [0, 1, 2])
@pytest.mark.parametrize("kind", ENCODERS)
def test_lower_and_upper_blocks_are_the_whole_encoder(kind: str, trained: int) -> None:
    whole = network(kind)
    padding = whole.config.pad_token_id or 0
    ids = torch.tensor([[7, 30, 12, 8], [7, 9, padding, padding]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    expected = whole(input_ids=ids, attention_mask=mask).last_hidden_state
    lower, upper = (
        frozen_blocks.below(whole, trained, np.arange(40)),
        frozen_blocks.top(whole, trained),
    )
    hidden = lower(input_ids=ids, attention_mask=mask).last_hidden_state
    given = upper(inputs_embeds=hidden, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(given[0], expected[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(given[1, :2], expected[1, :2], rtol=0, atol=1e-12)
    assert len(frozen_blocks.blocks(upper)) == trained
    # Nothing below the trained blocks is copied, held or stepped.
    names = {name for name, _ in upper.named_parameters()}
    assert not any("embeddings" in name for name in names)
    assert len(frozen_blocks.blocks(whole)) == 3


def train(task: Task, *cells: Cell, **how: Any) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, threads=1, **how)
    return {result.key: result for result in results}


def cell(key: str = "a", **change: Any) -> Cell:
    return Cell(key=key, config={**CONFIG, **change}, seed=2, fold=0)


def test_kept_and_computed_states_train_the_same_cell(
    task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = train(task, cell())["a"]
    (file,) = (tmp_path / "cache" / "hidden").glob("*.npy")
    monkeypatch.setattr(frozen_states, "_MOST_OF_DISK", 0.0)
    file.unlink()
    frozen_states.tokens.cache_clear()
    computed = train(task, cell())["a"]
    assert not list((tmp_path / "cache" / "hidden").glob("*.npy"))
    np.testing.assert_allclose(kept.probabilities, computed.probabilities, atol=1e-5)
    whole = train(task, cell(trainable_blocks=2))["a"]
    assert np.abs(whole.probabilities - kept.probabilities).max() > 1e-3


def test_the_file_is_written_once_and_read_by_the_next_process(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(task, cell())["a"]
    frozen_states.tokens.cache_clear()
    monkeypatch.setattr(frozen_states, "_write", None)  # called again it would raise
    assert np.array_equal(train(task, cell())["a"].probabilities, first.probabilities)


def test_states_are_those_of_the_encoder_at_every_token(task: Task) -> None:
    data = load_data(task.data)
    kept = frozen_states.tokens(data, task.model, 16, "fp32", 1)
    plain = tokens.tokenised(data, task.model, 16)
    rows = np.array([[5, 0], [17, 3]])
    given, ids = kept.inputs.padded(rows), plain.inputs.padded(rows)
    ids["input_ids"] = torch.from_numpy(plain.vocabulary)[ids["input_ids"]]
    whole = pretrained.load_encoder(task.model).eval()
    with torch.no_grad():
        flat = {name: value.flatten(0, 1) for name, value in ids.items()}
        states = whole(**flat, output_hidden_states=True).hidden_states[-2]
    real = given["attention_mask"].bool()
    states = states.reshape(given["inputs_embeds"].shape)
    torch.testing.assert_close(given["inputs_embeds"][real], states[real], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_cells_on_kept_states_share_a_stack(task: Task, precision: str) -> None:
    cells = [cell(key, gamma=gamma, precision=precision) for key, gamma in (("a", 0.1), ("b", 1.0))]
    results = train(task, *cells, stack=2)
    assert [(result.status, result.error) for result in results.values()] == [("done", None)] * 2


def test_more_blocks_than_there_are_are_refused_before_training(task: Task) -> None:
    bind = Trainable.load("triple_entropy").bind
    with pytest.raises(ConfigError, match=r"trainable_blocks must be at most 2, .*got 5"):
        checks.check_blocks(task, [bind(cell().config), bind(cell(trainable_blocks=5).config)])
    with pytest.raises(ConfigError, match="trainable_blocks at least 1"):
        bind(cell(trainable_blocks=0).config)
