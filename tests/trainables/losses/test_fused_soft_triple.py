"""SoftTriple in one pass over blocks: blocks, stacks and number types against the plain formula."""

from __future__ import annotations

import pytest
import torch
from peers.soft_triple import plain, recomputed
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from trainables.losses import _fused_soft_triple
from trainables.losses.soft_triple import SoftTripleLoss

CLASSES, K, DIM, TOKENS = 3, 4, 5, 7


def _loss(gamma: float = 0.1) -> SoftTripleLoss:
    # Made in float64, not turned into it: gamma, scale and margin are buffers.
    torch.set_default_dtype(torch.float64)
    try:
        return SoftTripleLoss(CLASSES, DIM, K, gamma=gamma, scale=3.3, margin=0.3)
    finally:
        torch.set_default_dtype(torch.float32)


def _batch() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    embeddings = torch.randn(TOKENS, DIM, generator=draw, dtype=torch.float64)
    return embeddings, torch.randint(0, CLASSES, (TOKENS,), generator=draw)


def _gradients(loss: Tensor, *of: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, of))


# The blocks of a cell's tokens: all at once; 4 and 3 of 7; one by one.
@pytest.mark.parametrize("at_once", [2**22, 4 * CLASSES * K, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_in_blocks_it_is_the_plain_formula(
    at_once: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fused_soft_triple, "_VALUES_AT_ONCE", {"cpu": at_once})
    monkeypatch.setattr(_fused_soft_triple, "_FEWEST_TOKENS", 1)
    loss = _loss()
    embeddings, labels = _batch()
    embeddings.requires_grad_()
    weights = torch.tensor([0.0, 2.0, 0.5, 0.0, 1.0, 3.0, 1e-9]).double() if weighted else None
    mine, theirs = loss(embeddings, labels, weights), plain(loss, embeddings, labels, weights)
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-12)
    torch.testing.assert_close(
        _gradients(mine, embeddings, loss.proxies),
        _gradients(theirs, embeddings, loss.proxies),
        rtol=1e-10,
        atol=1e-14,
    )


def test_what_the_benchmark_calls_recomputed_is_the_same_loss() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    embeddings.requires_grad_()
    mine, other = loss(embeddings, labels), recomputed(loss, embeddings, labels)
    assert mine.item() == other.item()
    inputs = embeddings, loss.proxies
    torch.testing.assert_close(_gradients(mine, *inputs), _gradients(other, *inputs))


class Cells:
    """Three cells that differ in all that a stack lets differ."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(5)
        self.loss = _loss()
        self.state = {
            "proxies": torch.randn(3, CLASSES, K, DIM, generator=draw).double(),
            "gamma": torch.tensor([0.01, 0.1, 0.03]).double(),
            "scale": torch.tensor([1.0, 10.0, 3.3]).double(),
            "margin": torch.tensor([0.0, 1.0, 0.3]).double(),
        }
        self.embeddings = torch.randn(3, TOKENS, DIM, generator=draw).double()
        self.labels = torch.randint(0, CLASSES, (3, TOKENS), generator=draw)
        # As many tokens with weight in no two cells; the last has none.
        self.weights = torch.tensor([[1.0] * 4 + [0] * 3, [0, 0.5] * 3 + [2], [0] * 7]).double()
        self.embeddings.requires_grad_()
        self.state["proxies"].requires_grad_()

    def one(
        self, state: dict[str, Tensor], x: Tensor, labels: Tensor, weights: Tensor | None
    ) -> Tensor:
        loss: Tensor = functional_call(self.loss, state, (x, labels, weights))
        return loss

    def stacked(self) -> Tensor:
        return torch.vmap(self.one)(self.state, self.embeddings, self.labels, self.weights)

    def apart(self) -> Tensor:
        """The first two cells by the plain formula, and 0 for the third."""
        losses = [self.embeddings.new_zeros(())] * 3
        for cell in range(2):
            alone = _loss()
            values = {name: value[cell] for name, value in self.state.items()}
            alone.gamma, alone.scale, alone.margin = (
                values[name] for name in ("gamma", "scale", "margin")
            )
            del alone.proxies
            alone.proxies = values["proxies"]
            losses[cell] = plain(
                alone, self.embeddings[cell], self.labels[cell], self.weights[cell]
            )
        return torch.stack(losses)


@pytest.mark.parametrize("at_once", [2**22, 2 * TOKENS * CLASSES * K, 40])
def test_cells_of_a_stack_get_the_plain_formula_each(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fused_soft_triple, "_VALUES_AT_ONCE", {"cpu": at_once})
    monkeypatch.setattr(_fused_soft_triple, "_FEWEST_TOKENS", 1)
    cells = Cells()
    stacked, apart = cells.stacked(), cells.apart()
    torch.testing.assert_close(stacked, apart, rtol=1e-12, atol=0)
    inputs = cells.embeddings, cells.state["proxies"]
    # Unequal factors, so that a gradient in the wrong cell is noticed.
    factors = torch.tensor([1.0, -2.0, 5.0]).double()
    mine = _gradients((factors * stacked).sum(), *inputs)
    torch.testing.assert_close(mine, _gradients((factors * apart).sum(), *inputs))
    assert not mine[0][2].any()
    assert not mine[1][2].any()


def test_the_order_of_axes_in_memory_changes_nothing() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    across = embeddings.t().contiguous().requires_grad_()
    proxies = loss.proxies.detach().transpose(0, 2).contiguous().requires_grad_()
    # A second axis of cells, mapped from the middle.
    twice = torch.stack([across.t(), 2 * across.t()], dim=1)
    state = {"proxies": proxies.transpose(0, 2)}
    losses = torch.vmap(lambda x: functional_call(loss, state, (x, labels)), in_dims=1)(twice)
    found = _gradients(losses.mean(), across, proxies)
    embeddings.requires_grad_()
    expected = _gradients(plain(loss, embeddings, labels), embeddings, loss.proxies)
    torch.testing.assert_close(found[0].t(), expected[0])
    torch.testing.assert_close(found[1].transpose(0, 2), expected[1])


def test_gradients_of_a_stack_agree_with_finite_differences() -> None:
    cells = Cells()

    def losses(x: Tensor, proxies: Tensor) -> Tensor:
        state = {**cells.state, "proxies": proxies}
        result: Tensor = torch.vmap(cells.one)(state, x, cells.labels, cells.weights)
        return result

    assert torch.autograd.gradcheck(losses, (cells.embeddings, cells.state["proxies"]))


def test_transforms_nest_and_may_share_what_is_not_mapped() -> None:
    cells = Cells()
    inputs = cells.embeddings.detach(), cells.labels, None
    state = {name: value.detach() for name, value in cells.state.items()}
    per_cell = torch.func.grad(cells.one, argnums=1)
    # Every cell on every batch: proxies shared by the inner map, batches by the outer one.
    inner = torch.vmap(per_cell, in_dims=(None, 0, 0, None))
    found = torch.vmap(inner, in_dims=(0, None, None, None))(state, *inputs)
    for cell in range(3):
        values = {name: value[cell] for name, value in state.items()}
        for batch in range(3):
            x = inputs[0][batch].clone().requires_grad_()
            loss = cells.one(values, x, inputs[1][batch], None)
            torch.testing.assert_close(found[cell, batch], _gradients(loss, x)[0])


def test_a_nan_stays_in_its_cell() -> None:
    cells = Cells()
    calm = cells.stacked().detach()
    with torch.no_grad():
        cells.embeddings[0, 0, 0] = torch.nan
    losses = cells.stacked()
    assert losses[0].isnan()
    assert torch.equal(losses[1:], calm[1:])
    of_proxies = _gradients(losses.sum(), cells.state["proxies"])[0]
    assert of_proxies[0].isnan().any()
    assert not of_proxies[1:].isnan().any()


def test_no_similarity_of_a_token_with_a_proxy_is_kept() -> None:
    tokens, k, dim = 300, 100, 4
    loss = SoftTripleLoss(CLASSES, dim, k, gamma=0.1, scale=3.0, margin=0.1)
    embeddings = torch.randn(tokens, dim, requires_grad=True)
    kept: list[int] = []

    def keep(value: Tensor) -> Tensor:
        kept.append(value.numel())
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        loss(embeddings, torch.zeros(tokens, dtype=torch.int64))
    # Embeddings, proxies and the gradient of each.
    assert sum(kept) == 2 * dim * (tokens + CLASSES * k)


def test_backward_passes_do_not_disturb_each_other() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    embeddings.requires_grad_()
    total = loss(embeddings, labels)
    first = torch.autograd.grad(3 * total, embeddings, retain_graph=True)[0]
    many = torch.autograd.grad(
        total, embeddings, torch.tensor([1.0, 3.0]).double(), is_grads_batched=True
    )[0]
    assert torch.equal(many[1], first)
    torch.testing.assert_close(3 * many[0], first)


@pytest.mark.parametrize("frozen", [0, 1], ids=["embeddings", "proxies"])
def test_either_input_may_be_frozen(frozen: int) -> None:
    loss = _loss()
    embeddings, labels = _batch()
    inputs = [embeddings.requires_grad_(), loss.proxies]
    expected = _gradients(plain(loss, embeddings, labels), *inputs)[1 - frozen]
    inputs[frozen].requires_grad_(False)
    loss(embeddings, labels).backward()
    assert inputs[frozen].grad is None
    torch.testing.assert_close(inputs[1 - frozen].grad, expected)


def test_without_gradients_it_is_the_same_number() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    with torch.no_grad():
        assert loss(embeddings, labels).item() == loss(*_batch()).item()


def test_a_second_derivative_is_refused() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    embeddings.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(embeddings, labels), embeddings, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        gradient.square().sum().backward()


def test_bfloat16_is_summed_up_in_float32() -> None:
    # 4,096 equal terms: summed up in bfloat16, which has 8 bits, they would end at 256 of them.
    tokens, dim = 16, 4096
    draw = torch.Generator().manual_seed(2)
    loss = SoftTripleLoss(CLASSES, dim, K, gamma=0.1, scale=10.0, margin=0.1).bfloat16()
    embeddings = (1 + torch.randn(tokens, dim, generator=draw) / 100).bfloat16()
    with torch.no_grad():
        loss.proxies.copy_(1 + torch.randn(CLASSES, K, dim, generator=draw) / 2)
    labels = torch.randint(0, CLASSES, (tokens,), generator=draw)
    embeddings.requires_grad_()
    got = loss(embeddings, labels)
    assert got.dtype == torch.float32
    exact = SoftTripleLoss(CLASSES, dim, K, gamma=1.0, scale=1.0, margin=0.0).double()
    exact.proxies.data = loss.proxies.detach().double()
    exact.gamma, exact.scale, exact.margin = (
        value.double() for value in (loss.gamma, loss.scale, loss.margin)
    )
    wide = embeddings.detach().double().requires_grad_()
    expected = exact(wide, labels)
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)
    mine = _gradients(got, embeddings, loss.proxies)
    for one, other in zip(mine, _gradients(expected, wide, exact.proxies), strict=True):
        assert one.dtype == torch.bfloat16
        # Rounded once, to 8 bits.
        assert (one.double() - other).abs().max() < 2**-8 * other.abs().max()


def test_autocast_does_not_round_it() -> None:
    loss = _loss().float()
    embeddings, labels = _batch()
    expected = loss(embeddings.float(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(embeddings.float(), labels).item() == expected.item()


def test_factors_in_bfloat16_are_summed_up_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a GPU does with bfloat16, on a CPU, which lacks bmm's out_dtype.
    product = torch.bmm

    def bmm(
        left: Tensor,
        right: Tensor,
        *,
        out_dtype: torch.dtype | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        wide = left.dtype if out_dtype is None else out_dtype
        assert left.dtype == right.dtype
        assert out is None or out.dtype == wide
        return product(left.to(wide), right.to(wide), out=out)

    loss = _loss(gamma=0.05).float()
    embeddings, labels = _batch()
    embeddings = embeddings.bfloat16().requires_grad_()
    inputs = embeddings, loss.proxies
    expected = loss(embeddings, labels)
    exact = _gradients(expected, *inputs)
    monkeypatch.setattr(torch, "bmm", bmm)
    monkeypatch.setattr(_fused_soft_triple, "_type_of_factors", lambda *_: torch.bfloat16)
    rounded = loss(embeddings, labels)
    assert rounded.dtype == torch.float32
    assert rounded.item() != expected.item()
    assert rounded.item() == pytest.approx(expected.item(), rel=0.01)
    for one, other in zip(_gradients(rounded, *inputs), exact, strict=True):
        similar = functional.cosine_similarity(one.float().flatten(), other.float().flatten(), 0)
        assert similar > 0.999


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_gpu_agrees_with_the_plain_formula(kind: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(4)
    embeddings = torch.randn(900, 64, generator=draw).cuda().to(kind).requires_grad_()
    labels = torch.randint(0, 6, (900,), generator=draw).cuda()
    loss = SoftTripleLoss(6, 64, 100, gamma=0.1, scale=3.3, margin=0.3).cuda()
    mine, theirs = loss(embeddings, labels), plain(loss, embeddings.float(), labels)
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-2)
    inputs = embeddings, loss.proxies
    for one, other in zip(_gradients(mine, *inputs), _gradients(theirs, *inputs), strict=True):
        similar = functional.cosine_similarity(one.float().flatten(), other.float().flatten(), 0)
        assert similar > 0.999
