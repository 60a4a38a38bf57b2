"""The projection's loss is the paper's, on one embedding a text."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.factories import config
from trainables import linear_eval
from trainables.engine.errors import ConfigError
from trainables.projection import Config, build

CONFIG = Config(**config("projection", k=3, gamma=0.07, scale=4.0, beta=0.7, width=6))


@torch.no_grad()
def test_the_loss_is_equations_4_to_7() -> None:
    torch.manual_seed(0)
    module = build(CONFIG, 5, 3).train()
    inputs, labels = torch.randn(4, 5), torch.tensor([0, 2, 1, 2])
    hidden = functional.gelu(module.projection(inputs))
    logits = module.classifier(hidden)
    units = functional.normalize(hidden.double(), dim=1)
    proxies = functional.normalize(module.soft_triple.proxies.double(), dim=2)
    total = 0.0
    for x, label in zip(units, labels.tolist(), strict=True):
        of_class = []
        for group in proxies:
            dots = [float(x @ w) for w in group]
            weights = [math.exp(dot / CONFIG.gamma) for dot in dots]
            of_class.append(
                sum(w * dot for w, dot in zip(weights, dots, strict=True)) / sum(weights)
            )
        scaled = [CONFIG.scale * (s - CONFIG.margin * (c == label)) for c, s in enumerate(of_class)]
        total -= scaled[label] - math.log(sum(map(math.exp, scaled)))
    expected = 0.7 * functional.cross_entropy(logits, labels) + 0.3 * total / 4
    assert module(inputs, labels).loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_scoring_leaves_soft_triple_out() -> None:
    module = build(CONFIG, 5, 3).eval()
    inputs, labels = torch.randn(4, 5), torch.tensor([0, 2, 1, 2])
    output = module(inputs, labels)
    expected = 0.7 * functional.cross_entropy(output.logits, labels)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_baseline_has_no_proxies() -> None:
    assert build(replace(CONFIG, beta=1.0), 5, 3).soft_triple is None


def test_a_config_out_of_range_names_each_field() -> None:
    with pytest.raises(ConfigError, match=r"projection config .* k at least 1, got 0; .*schedule"):
        replace(CONFIG, k=0, schedule="steps")
    with pytest.raises(ConfigError, match=r"linear_eval config .* representation one of .*'lsa'"):
        linear_eval.Config(**config("linear_eval", representation="lsa"))
