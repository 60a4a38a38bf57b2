"""Dropout by key: the share that it is told, the same masks for whoever has a row."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from trainables.engine import seeding
from trainables.engine.models.output import Output
from trainables.engine.stacking.module import StackedModule
from trainables.engine.training import dropout, dropout_masks

ROWS = np.array([3, 41, 8, 97])


def keys(seed: int = 2, fold: int = 0, epoch: int = 0, rows: Any = ROWS, views: int = 1) -> Tensor:
    return torch.from_numpy(seeding.dropout_keys(seed, fold, epoch, np.asarray(rows), views))[None]


def masks(
    *shape: int, share: float = 0.5, calls: int = 1, number: int = 0, **block: Any
) -> list[Tensor]:
    """What some calls of dropout leave of ones."""
    with dropout.drawing(dropout_masks.Step(keys(**block), number)):
        return [functional.dropout(torch.ones(shape), share) for _ in range(calls)]


def alike(one: Tensor, other: Tensor) -> float:
    """Correlation of what two masks keep, in standard deviations of independent ones."""
    both = torch.stack([one.flatten() > 0, other.flatten() > 0]).double()
    return float(torch.corrcoef(both)[0, 1].abs()) * both.shape[1] ** 0.5


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_scale_are_those_of_torch(share: float) -> None:
    values = torch.ones(4, 63, 801, requires_grad=True)
    with dropout.drawing(dropout_masks.Step(keys(), 0)):
        result = nn.Dropout(share)(values)
    result.sum().backward()
    # What is dropped gets no gradient; what is kept gets its scale.
    torch.testing.assert_close(values.grad, result.detach())
    for lost in (result == 0).double().flatten(1).mean(dim=1).tolist():
        # 5 standard deviations of a share of so many draws.
        assert lost == pytest.approx(share, abs=5 * (share * (1 - share) / 63 / 801) ** 0.5)
    kept = result.detach()[result > 0]
    assert kept.unique().numel() == 1
    assert float(kept[0]) == pytest.approx(1 / (1 - share), rel=1e-3)


def test_no_mask_is_like_another() -> None:
    """Between rows, calls, epochs, folds, seeds, steps and neighbours in a row."""
    (here, then), shape = masks(4, 64, 768, calls=2), (4, 64, 768)
    others = {
        "call": then,
        "epoch": masks(*shape, epoch=1)[0],
        "fold": masks(*shape, fold=1)[0],
        "seed": masks(*shape, seed=3)[0],
        "row": here.roll(1, 0),
        "next token": here.roll(1, 1),
        "next value": here.roll(1, 2),
        "next but one": here.roll(2, 2),
    }
    assert {
        name: alike(here, other) for name, other in others.items() if alike(here, other) > 5
    } == {}
    rare = masks(*shape, share=0.1)[0]
    for lag in (1, 2, 3, 4, 768, 769):
        assert alike(rare, rare.flatten().roll(lag)) < 5, lag
    # Pairs and triples of neighbours are as frequent as independent ones.
    kept = (masks(*shape, share=0.3)[0] > 0).flatten().long()
    codes = kept[:-2] * 4 + kept[1:-1] * 2 + kept[2:]
    expected = torch.tensor([0.3, 0.7])
    for code, count in enumerate(torch.bincount(codes, minlength=8).tolist()):
        bits = [code >> 2, code >> 1 & 1, code & 1]
        chance = float(torch.prod(expected[bits]))
        assert count / len(codes) == pytest.approx(chance, abs=8 * (chance / len(codes)) ** 0.5)


def test_rates_of_rows_and_places_are_no_more_uneven_than_chance() -> None:
    rows = np.arange(200)
    kept = (masks(200, 20, 128, share=0.1, rows=rows)[0] > 0).double()
    for axis, draws in (((1, 2), 20 * 128), ((0, 2), 200 * 128), ((0, 1), 200 * 20)):
        spread = kept.mean(dim=axis).std(correction=0)
        assert float(spread) == pytest.approx((0.1 * 0.9 / draws) ** 0.5, rel=0.35)


def test_a_row_has_its_mask_whoever_else_is_in_the_batch_and_however_long_it_is() -> None:
    short = masks(4, 5, 24)[0]
    torch.testing.assert_close(masks(4, 9, 24)[0][:, :5], short)
    torch.testing.assert_close(masks(2, 5, 24, rows=ROWS[[3, 1]])[0], short[[3, 1]])
    weights = masks(4, 2, 5, 5)[0]
    torch.testing.assert_close(masks(4, 2, 8, 8)[0][:, :, :5, :5], weights)
    # Both texts of each row side by side, as towers have them.
    both = masks(8, 24)[0]
    torch.testing.assert_close(masks(2, 24, rows=ROWS[1:2])[0], both[2:4])


def test_the_views_of_a_row_are_dropped_apart_and_the_same_in_each_process() -> None:
    whole = masks(8, 500, views=2)[0]
    assert alike(whole[:4], whole[4:]) < 5
    mine = masks(4, 500, rows=ROWS[1::2], views=2)[0]
    torch.testing.assert_close(mine, whole[[1, 3, 5, 7]])


def test_what_has_no_rows_is_dropped_once_a_step() -> None:
    one, other = masks(3, 501), masks(3, 501, rows=[1, 7, 0, 5])
    torch.testing.assert_close(one[0], other[0])
    assert alike(one[0], masks(3, 501, number=1)[0]) < 5


def test_half_precision_keeps_the_scale() -> None:
    with dropout.drawing(dropout_masks.Step(keys(), 0)):
        half = functional.dropout(torch.ones(4, 1000, dtype=torch.bfloat16), 0.1)
    torch.testing.assert_close(half.float(), masks(4, 1000, share=0.1)[0], rtol=5e-3, atol=0)


def test_evaluation_drops_nothing_and_outside_of_a_step_torch_drops() -> None:
    values = torch.ones(4, 10)
    with dropout.drawing(dropout_masks.Step(keys(), 0)):
        assert torch.equal(nn.Dropout(0.5).eval()(values), values)
    torch.manual_seed(1)
    ours = functional.dropout(values)
    torch.manual_seed(1)
    assert torch.equal(ours, torch.dropout(values, 0.5, True))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_torchs_own_but_for_the_draws(causal: bool) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 4, 2, 6, 8).unbind()
    mask = None if causal else torch.rand(4, 1, 6, 6) < 0.8
    expected = functional.scaled_dot_product_attention(query, key, value, mask, is_causal=causal)
    with dropout.drawing(dropout_masks.Step(keys(), 0)):
        for given in (0.0, 1e-6):  # so small a share drops nothing: the formula is left
            found = functional.scaled_dot_product_attention(
                query, key, value, mask, dropout_p=given, is_causal=causal
            )
            torch.testing.assert_close(found, expected)
        dropped = functional.scaled_dot_product_attention(
            query, key, value, mask, dropout_p=0.5, is_causal=causal
        )
    assert not torch.allclose(dropped, expected)


class Head(nn.Module):
    """Two layers of dropout, one of which is called twice; one input in four places."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.dropout = nn.Parameter(torch.ones(40)), nn.Dropout(0.5)

    def forward(self, inputs: Tensor, labels: Tensor) -> Output:
        dropped = self.dropout(inputs)  # before any weight: what cells of a block share
        logits = functional.dropout(self.dropout(dropped * self.weight), 0.2, self.training)
        return Output(loss=logits.mean(), logits=logits)


def test_cells_of_a_block_share_masks_in_any_layout_of_a_stack() -> None:
    blocks = torch.cat([keys(), keys(seed=16)])
    labels = torch.zeros(4, dtype=torch.int64)
    alone = []
    for block in blocks:
        with dropout.drawing(dropout_masks.Step(block[None], 0)):
            alone.append(Head()(torch.ones(4, 40), labels).logits)
    assert alike(*alone) < 5

    def found(rows: int, cells: int, of: list[int] | None) -> list[Tensor]:
        stack = StackedModule([Head() for _ in range(cells)])
        step = dropout_masks.Step(blocks, 0, None if of is None else torch.tensor(of))
        given = stack(torch.ones(rows, 4, 40), labels.expand(rows, -1), None, step)
        return list(given.logits)

    for logits, of in (
        (found(2, 2, None), [0, 1]),  # one cell a block
        (found(4, 4, None), [0, 0, 1, 1]),  # blocks in equal runs
        (found(3, 3, [1, 0, 1]), [1, 0, 1]),  # in any order
        (found(2, 6, None), [0, 0, 0, 1, 1, 1]),  # a batch for three cells
    ):
        for one, block in zip(logits, of, strict=True):
            torch.testing.assert_close(one, alone[block])


def test_a_mask_is_made_once_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    mask = dropout_masks.Step._mask

    def counted(own: dropout_masks.Step, *given: Any) -> Tensor:
        found = mask(own, *given)
        made.append(found.numel())
        return found

    monkeypatch.setattr(dropout_masks.Step, "_mask", counted)
    stack = StackedModule([Head() for _ in range(6)])
    stack(
        torch.ones(6, 4, 40),
        torch.zeros(6, 4, dtype=torch.int64),
        None,
        dropout_masks.Step(keys(), 0),
    )
    assert made == [4 * 40] * 3


def test_a_stack_refuses_what_no_key_decides() -> None:
    class Noisy(Head):
        def forward(self, inputs: Tensor, labels: Tensor) -> Output:
            return super().forward(inputs + torch.rand_like(inputs), labels)

    stack = StackedModule([Noisy(), Noisy()])
    inputs, labels = torch.ones(2, 4, 40), torch.zeros(2, 4, dtype=torch.int64)
    with pytest.raises(RuntimeError) as raised:
        stack(inputs, labels, None, dropout_masks.Step(torch.cat([keys(), keys()]), 0))
    assert dropout.draws_itself(raised.value)
    with pytest.raises(RuntimeError, match=r"give it an nn\.Dropout"):
        StackedModule([Head(), Head()])(inputs, labels, None, dropout_masks.Step(None, 0))


def test_the_numbers_stand() -> None:
    """Of an old ledger, too: another hash is another version of every trainable that drops."""
    assert keys(rows=[0, 1])[0].tolist() == [
        [1214006447, -1305561667],
        [-1403736017, 1447262894],
        [-1966366920, -1315860138],
    ]
    assert (
        "".join("01"[int(v > 0)] for v in masks(4, 8)[0].flatten())
        == "11001001100101111101001001101101"
    )


def test_an_encoder_in_training_draws_from_no_generator() -> None:
    config = BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = BertModel(config).train()
    ids = torch.ones(4, 5, dtype=torch.int64)
    before = torch.get_rng_state()
    with dropout.drawing(dropout_masks.Step(keys(), 0)):
        one = model(ids).last_hidden_state
        assert not torch.equal(one[0], one[1])
    with dropout.drawing(dropout_masks.Step(keys(), 0)):
        assert torch.equal(copy.deepcopy(model)(ids).last_hidden_state, one)
    assert torch.equal(torch.get_rng_state(), before)
