"""Adapters are peft's, in a stack with a rank and a scale of each cell's own."""

from __future__ import annotations

import copy
import importlib.util
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from tests.factories import config
from trainables.engine.errors import ConfigError, ModelError
from trainables.engine.models import adapters
from trainables.engine.models.output import Output
from trainables.engine.stacking.module import StackedModule
from trainables.triple_entropy import Config

WORDS, LENGTH = 20, 5


def config_of(**change: Any) -> Config:
    return Config(**config("triple_entropy", **{"lora_rank": 2, **change}))


def encoder() -> BertModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
        made = BertModel(
            BertConfig(vocab_size=WORDS, hidden_size=8, **shape), add_pooling_layer=False
        )
    return made.double().eval().requires_grad_(False)


class Classifier(nn.Module):
    """A linear layer on the mean of an encoder's tokens."""

    def __init__(self, base: BertModel, given: Config, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.encoder: Any = adapters.adapted(base, given).double()
            self.linear = nn.Linear(8, 3).double()
            # B begins at 0, where A has no gradient.
            for _, layer in adapters.layers(self.encoder):
                nn.init.normal_(layer.lora_B["default"].weight, std=0.3)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        logits = self.linear(self.encoder(**inputs).last_hidden_state.mean(dim=-2))
        return Output(nn.functional.cross_entropy(logits, labels), logits)


def batch(cells: int) -> tuple[dict[str, Tensor], Tensor]:
    draw = torch.Generator().manual_seed(3)
    words = torch.randint(WORDS, (cells, 4, LENGTH), generator=draw)
    mask = torch.ones(cells, 4, 1, 1, LENGTH, dtype=torch.bool)
    inputs = {"input_ids": words, "attention_mask": mask}
    return inputs, torch.randint(3, (cells, 4), generator=draw)


RANKS = st.lists(st.integers(1, 8), min_size=1, max_size=4)


@given(
    ranks=RANKS,
    targets=st.sampled_from(Config.LORA_TARGETS),
    alpha=st.floats(0.1, 8),
    stabilised=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_stack_has_the_values_and_gradients_of_separate_models(
    ranks: list[int], targets: str, alpha: float, stabilised: bool
) -> None:
    base = encoder()
    configs = [
        config_of(
            lora_rank=rank,
            lora_targets=targets,
            lora_alpha=alpha * (number + 1),
            lora_rank_stabilised=stabilised == (number % 2 == 0),
        )
        for number, rank in enumerate(ranks)
    ]
    cells = [Classifier(base, one, seed) for seed, one in enumerate(configs)]
    alone = copy.deepcopy(cells)
    adapters.pad(cells)
    stack = StackedModule(cells)
    inputs, labels = batch(len(ranks))
    stacked = stack(inputs, labels)
    stacked.loss.sum().backward()
    for number, (cell, rank) in enumerate(zip(alone, ranks, strict=True)):
        own = cell({name: value[number] for name, value in inputs.items()}, labels[number])
        own.loss.backward()
        torch.testing.assert_close(stacked.logits[number], own.logits, rtol=1e-9, atol=1e-10)
        gradients = dict(zip(stack._names, stack.stacked, strict=True))
        for name, weight in cell.named_parameters():
            if not weight.requires_grad:
                assert name not in gradients, "frozen weights are there once"
                continue
            found = gradients[name].grad
            assert found is not None
            assert weight.grad is not None
            if "lora_A" in name:
                assert not found[number, rank:].any(), "padding does not move"
                found = found[:, :rank]
            elif "lora_B" in name:
                assert not found[number, :, rank:].any()
                found = found[:, :, :rank]
            torch.testing.assert_close(found[number], weight.grad, rtol=1e-9, atol=1e-10)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks transformers by an old name
@pytest.mark.parametrize("targets", Config.LORA_TARGETS)
@pytest.mark.parametrize("stabilised", [False, True])
def test_an_adapted_encoder_is_the_peft_model_of_its_settings(
    targets: str, stabilised: bool
) -> None:
    given = config_of(
        lora_rank=3, lora_alpha=2.0, lora_targets=targets, lora_rank_stabilised=stabilised
    )
    ours = Classifier(encoder(), given, 1).encoder
    names = {
        "query-value": ["query", "value"],
        "attention": ["query", "key", "value", "attention.output.dense"],
        "all-linear": "all-linear",
    }
    wanted = LoraConfig(
        r=3, lora_alpha=6, use_rslora=stabilised, target_modules=names[targets], lora_dropout=0.0
    )
    theirs = get_peft_model(encoder(), wanted)
    state = {f"base_model.model.{name}": value for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    inputs = {"input_ids": batch(1)[0]["input_ids"][0]}
    torch.testing.assert_close(
        ours(**inputs).last_hidden_state, theirs(**inputs).last_hidden_state, rtol=0, atol=1e-6
    )
    trained = {name for name, weight in ours.named_parameters() if weight.requires_grad}
    assert {
        name.removeprefix("base_model.model.")
        for name, weight in theirs.named_parameters()
        if weight.requires_grad
    } == trained


def test_weights_of_the_encoder_are_there_once_for_all_cells() -> None:
    base = encoder()
    cells = [Classifier(base, config_of(), seed) for seed in range(16)]
    stack = StackedModule(cells)
    own = sum(p.numel() for p in cells[0].parameters() if p.requires_grad)
    assert sum(p.numel() for p in stack.parameters()) == 16 * own
    held = {buffer.data_ptr() for buffer in stack.buffers()}
    assert {weight.data_ptr() for weight in base.parameters()} <= held, "not even copied"


def test_merged_weights_give_the_same_vectors() -> None:
    given = config_of(lora_rank=3, lora_targets="all-linear", lora_alpha=2.0)
    tuned = Classifier(encoder(), given, 1).encoder
    whole = adapters.merged(tuned)
    assert not list(adapters.layers(whole))
    assert whole.state_dict().keys() == encoder().state_dict().keys()
    inputs = {"input_ids": batch(1)[0]["input_ids"][0]}
    torch.testing.assert_close(
        whole(**inputs).last_hidden_state, tuned(**inputs).last_hidden_state, rtol=0, atol=1e-12
    )
    assert list(adapters.layers(tuned)), "the encoder that was given stays as it is"


@pytest.mark.parametrize(
    ("change", "fault", "words"),
    [
        ({"lora_rank": 9, "lora_targets": "attention"}, ConfigError, "at most 8, the width"),
        ({"trainable_blocks": 0}, ConfigError, "trainable_blocks=0 trains none"),
    ],
)
def test_what_an_encoder_cannot_have_is_refused(
    change: dict[str, Any], fault: type[Exception], words: str
) -> None:
    given = config_of()
    for name, value in change.items():
        object.__setattr__(given, name, value)
    with pytest.raises(fault, match=words):
        adapters.check(encoder(), given, "'tiny'")


def test_a_model_without_the_layers_is_told_those_that_it_has() -> None:
    odd = encoder()
    for block in odd.encoder.layer:
        own = block.attention.self
        own.first, own.second = own.query, own.value
        del own.query, own.value
    with pytest.raises(ModelError, match=r"called dense, first, key, second\. Try"):
        adapters.check(odd, config_of(), "'odd'")


def test_without_peft_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'foldrace\[lora\]'"):
        adapters.check(encoder(), config_of(), "'tiny'")


def test_frozen_weights_in_the_type_of_autocast_change_no_bit() -> None:
    base = encoder().float()
    modules = [Classifier(base, config_of(lora_rank=rank), rank).float() for rank in (2, 2)]
    inputs, labels = batch(2)
    results = []
    for reduced in (None, torch.bfloat16):
        stack = StackedModule(modules, reduced=reduced)
        with torch.autocast("cpu", torch.bfloat16):
            output = stack(inputs, labels)
        output.loss.sum().backward()
        results.append((output.logits, [p.grad for p in stack.stacked], stack))
    (logits, gradients, full), (logits_reduced, gradients_reduced, half) = results
    assert torch.equal(logits, logits_reduced)
    assert all(torch.equal(a, b) for a, b in zip(gradients, gradients_reduced, strict=True))
    kinds = {name: buffer.dtype for name, buffer in half._common().items()}
    assert kinds["encoder.encoder.layer.0.output.dense.weight"] == torch.bfloat16
    assert kinds["encoder.embeddings.word_embeddings.weight"] == torch.float32  # no linear layer's
    assert set(full._common()) == set(kinds)
