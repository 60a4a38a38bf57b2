"""What several tests need: a tiny real encoder on disk and a small real-looking CSV."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# The cores are shared by Ray's workers; more threads than cores only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# How long a test takes says nothing on a machine that others use, too.
settings.register_profile("foldrace", deadline=None)
settings.load_profile("foldrace")

_WORDS = {
    "praise": ["good", "great", "fine", "lovely", "superb", "warm"],
    "blame": ["bad", "awful", "poor", "dull", "cold", "weak"],
}
_FILLER = ["the", "film", "was", "a", "story", "and", "its", "end", "scene", "actor", "plot"]


def pytest_configure(config: pytest.Config) -> None:
    """No test writes into the user's cache, and what tests start can be interrupted."""
    # What a shell puts into the background ignores Ctrl-C, and so would all below it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # likewise what nohup starts
    if "FOLDRACE_CACHE" not in os.environ:
        os.environ["FOLDRACE_CACHE"] = tempfile.mkdtemp(prefix="foldrace-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop("FOLDRACE_CACHE"), True))


@pytest.fixture(autouse=True)
def _own_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that a test loads is gone with it."""
    from trainables.engine import registry

    monkeypatch.setattr(registry, "_plugged", {})


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers, 32 wide, with random weights and a whitespace vocabulary."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_FILLER]
    words += [word for group in _WORDS.values() for word in group]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    folder = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        )
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 short texts of two classes; one word in five tells the class, so it can be learnt."""
    draw = random.Random(7)
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["body", "verdict"])
        for number in range(120):
            label = ("praise", "blame")[number % 2]
            words = draw.sample(_FILLER, 5) + draw.sample(_WORDS[label], 2)
            draw.shuffle(words)
            rows.writerow([" ".join(words) + f" {number}", label])
    return path
