"""What the benchmarks of throughput share: TREC-1k, small encoders, cells, and timing in turns."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from spaces.softtriple import SPACE as SOFTTRIPLE
from trainables.engine.contract import Cell, DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.keys import cell_key
from trainables.engine.models.pretrained import model_fingerprint

# Both ways of a comparison have as many. On a machine that others use, 1 says more than 2: two
# threads wait for one another in every operation.
THREADS = int(os.environ.get("FOLDRACE_BENCH_THREADS", "2"))
TURNS = int(os.environ.get("FOLDRACE_BENCH_TURNS", "3"))
SEEDS, FOLDS = (2, 16, 128, 2048), 5
TREC = DataRef(name="trec-1k")
# What trains an encoder as small as these on a thousand texts.
SMALL = {"learning_rate": 5e-4, "pooling": "mean", "max_length": 64}


def need_trec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip where there is no TREC; else let data sets by name be found."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("FOLDRACE_DATA") or beside)
    if not (folder / "trec.parquet").is_file():
        pytest.skip("no TREC: set FOLDRACE_DATA to a folder with trec.parquet")
    monkeypatch.setenv("FOLDRACE_DATA", str(folder))


def task_of(trainable: str, version: int, model: str) -> Task:
    """Cells on TREC-1k under 5 folds."""
    return Task(
        trainable=trainable,
        version=version,
        data=TREC,
        data_fingerprint=load_data(TREC).fingerprint,
        model=model,
        model_fingerprint=model_fingerprint(model),
        split=Split(folds=FOLDS),
    )


def softtriple(**change: Any) -> dict[str, Any]:
    """A SoftTriple config of the paper's grid, for a small encoder."""
    start = {"k": 100, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.5}
    return {**SOFTTRIPLE.complete(start), **SMALL, **change}


def cells_of(task: Task, config: Mapping[str, Any], count: int) -> list[Cell]:
    """So many cells: every seed and fold with one learning rate, then with the next."""
    blocks = [(seed, fold) for seed in SEEDS for fold in range(FOLDS)]
    cells = []
    for number in range(count):
        seed, fold = blocks[number % len(blocks)]
        rate = config["learning_rate"] * (1 + 0.01 * (number // len(blocks)))
        given = {**config, "learning_rate": rate}
        key = cell_key(task, given, seed, fold)
        cells.append(Cell(key=key, config=given, seed=seed, fold=fold))
    return cells


def random_encoder(folder: Path, config: Any, texts: Sequence[str] | None = None) -> Path:
    """A BERT or RoBERTa of random weights, and a tokenizer of texts' words, TREC's if none."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoModel, PreTrainedTokenizerFast

    cut = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = {word: None for text in texts or load_data(TREC).texts for word, _ in _words(cut, text)}
    known = [*special, *words]
    known += [f"unused{number}" for number in range(len(known), config.vocab_size)]
    config.vocab_size = len(known)
    numbers = {word: number for number, word in enumerate(known)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = cut
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512, **names
    ).save_pretrained(folder)
    config.pad_token_id, config.vocab_size = 0, len(numbers)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


def _words(cut: Any, text: str) -> Any:
    return cut.pre_tokenize_str(text.lower())


def in_turns(ways: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, list[float]]:
    """Seconds of each way in each turn: what else the machine does meets all ways."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - began)
    return took


def product_rate(tokens: int, width: int, times: int = 40) -> float:
    """Measure the rate of a linear layer's matrix products, in operations a second.

    They are those of a block's widest layer: its outputs and both its gradients.

    Args:
        tokens: Rows of a batch, padding included.
        width: Width of the layer's inputs; its outputs are four times as wide.
        times: Number of repetitions.
    """
    import torch

    inputs, outputs = torch.randn(tokens, width), torch.randn(tokens, 4 * width)
    weights = torch.randn(width, 4 * width)
    began = time.perf_counter()
    for _ in range(times):
        torch.mm(inputs, weights)
        torch.mm(outputs, weights.T)
        torch.mm(inputs.T, outputs)
    operations = times * 3 * 2 * tokens * width * 4 * width
    return operations / (time.perf_counter() - began)


def medians(took: Mapping[str, list[float]]) -> dict[str, float]:
    """The middle of each way's seconds."""
    return {name: statistics.median(times) for name, times in took.items()}
