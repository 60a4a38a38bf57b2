"""The fusion network is the paper's, and in a stack each cell gets what it gets alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from spaces.factify import PAPER_ABLATION, PAPER_CLASSES, SPACE
from trainables.engine import seeding
from trainables.engine.cells.trainable import Trainable
from trainables.engine.errors import ConfigError, DivergedError
from trainables.engine.features.pair_layout import Layout
from trainables.engine.inputs.stack_inputs import FeatureInputs
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.fit_stack import fit_stack
from trainables.engine.training.fit import Fit
from trainables.factify_fusion import (
    Bilinear,
    Config,
    CrossAttention,
    FusionNet,
    PairAttention,
    build,
    stack_key,
)

ROWS, CLASSES = 90, 5
LAYOUT = Layout(text=16, image=12)
CONFIG: Config = Trainable.load("factify_fusion").bind(
    SPACE.complete({**SPACE.references["frozen"], "epochs": 3})
)
SMALL = replace(CONFIG, dropout=0.0, attention_dim=8, heads=2, learning_rate=0.01, ema_decay=0.9)


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def features(seed: int = 0) -> tuple[Tensor, npt.NDArray[np.int64]]:
    """Rows whose class is told by texts and images together; a fifth of the images is missing."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randn(ROWS, LAYOUT.total, generator=draw)
    labels = torch.randint(CLASSES, (ROWS,), generator=draw)
    rows[torch.arange(ROWS), labels] += 2
    rows[torch.arange(ROWS), 32 + labels] += 2
    absent = torch.rand(ROWS, 2, generator=draw) < 0.2
    images = rows[:, 32:56].unflatten(1, (2, 12)).masked_fill(absent[..., None], 0.0)
    return torch.cat([rows[:, :32], images.flatten(1), absent.to(rows)], dim=1), labels.numpy()


def cell(config: Config, seed: int, held_out: range) -> StackCell:
    with seeding.drawing_from(seed, "init"):
        module = build(config, LAYOUT, CLASSES)
    kept = np.array(held_out)
    rows = np.setdiff1d(np.arange(ROWS), kept)
    return StackCell(module, config, seed, rows, kept, ema_decay=config.ema_decay)


def alone(one: StackCell) -> tuple[list[float], npt.NDArray[np.float64]]:
    """One cell by torch's own Adam, batch normalisation and averaged model."""
    config, module = one.config, one.module
    values, labels = features()
    optimizer = torch.optim.Adam(module.parameters(), lr=config.learning_rate)

    def mean(average: Tensor, weight: Tensor, taken: Tensor | int) -> Tensor:
        steps = int(taken) - 1  # what was drawn counts as the first average
        decay = min(one.ema_decay, (1 + steps) / (10 + steps))
        return decay * average + (1 - decay) * weight

    scored = AveragedModel(module, avg_fn=mean, use_buffers=False)
    scored.n_averaged += 1
    losses = []
    for epoch in range(config.epochs):
        module.train()
        order = seeding.numpy_generator(one.seed, "order", epoch).permutation(len(one.train))
        sums = []
        for start in range(0, len(order), config.batch_size):
            batch = one.train[order[start : start + config.batch_size]]
            loss = module(values[batch], torch.as_tensor(labels[batch])).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scored.update_parameters(module)
            sums.append(loss.item())
        losses.append(float(np.mean(sums)))
    final = copy.deepcopy(scored.module)
    for (name, buffer), (_, own) in zip(final.named_buffers(), module.named_buffers(), strict=True):
        assert buffer.shape == own.shape, name
        buffer.copy_(own)
    with torch.no_grad():
        logits = final.eval()(values[one.held_out], torch.as_tensor(labels[one.held_out])).logits
    return losses, torch.softmax(logits, dim=-1).numpy()


def in_stack(cells: list[StackCell]) -> list[Fit | DivergedError]:
    values, labels = features()
    fits: dict[int, Fit | DivergedError] = {}
    fit_stack(
        cells,
        FeatureInputs(values),
        labels,
        fits.__setitem__,
        lambda given, _: [{} for _ in given],
    )
    return [fits[i] for i in range(len(cells))]


def test_each_cell_gets_what_it_gets_alone(double: None) -> None:
    # Smoothing, decay, rate, epochs, seed and rows differ; 81, 70 and 75 rows leave last batches of
    # 17, 6 and 11, so that cells take steps apart and each keeps its own running statistics.
    def cells() -> list[StackCell]:
        return [
            cell(SMALL, 2, range(9)),
            cell(replace(SMALL, smoothing=0.0, ema_decay=0.0), 2, range(9)),
            cell(replace(SMALL, smoothing=0.3, epochs=2), 16, range(20)),
            cell(replace(SMALL, learning_rate=0.003, ema_decay=0.5), 7, range(60, 75)),
        ]

    for fit, one in zip(in_stack(cells()), cells(), strict=True):
        assert isinstance(fit, Fit)
        losses, probabilities = alone(one)
        np.testing.assert_allclose([e["train_loss"] for e in fit.epochs], losses, atol=1e-9)
        # The stack hands over float32.
        np.testing.assert_allclose(fit.probabilities, probabilities, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"modalities": "text"},
        {"attention": False},
        {"attention_over": "one-vector"},
        {"fusion": "cross-attention"},
        {"fusion": "bilinear", "attention": False},
    ],
    ids=str,
)
def test_the_ablated_networks_train_in_a_stack_too(double: None, change: dict[str, object]) -> None:
    config = replace(SMALL, **change)  # type: ignore[arg-type]
    fit = in_stack([cell(config, 2, range(9)), cell(config, 16, range(9, 30))])[0]
    assert isinstance(fit, Fit)
    losses, probabilities = alone(cell(config, 2, range(9)))
    np.testing.assert_allclose([e["train_loss"] for e in fit.epochs], losses, atol=1e-9)
    np.testing.assert_allclose(fit.probabilities, probabilities, atol=1e-6)


@torch.no_grad()
def test_attention_is_torchs_own() -> None:
    torch.manual_seed(0)
    ours = PairAttention(6, 12, 3, 0.0)
    # torch's has one width for tokens and heads: tokens are widened by the same matrices here.
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    tokens = torch.randn(4, 2, 6)
    wide = nn.Linear(6, 12, bias=False)
    for name, part in (("query", 0), ("key", 1), ("value", 2)):
        own = getattr(ours, name)
        theirs.in_proj_bias[12 * part : 12 * part + 12] = own.bias
        theirs.in_proj_weight[12 * part : 12 * part + 12] = own.weight @ torch.linalg.pinv(
            wide.weight
        )
    theirs.out_proj.weight.copy_(torch.eye(12))
    theirs.out_proj.bias.zero_()
    expected = functional.linear(
        theirs(wide(tokens), wide(tokens), wide(tokens))[0], ours.output.weight, ours.output.bias
    )
    torch.testing.assert_close(ours(tokens), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_network_is_section_4_written_out() -> None:
    torch.manual_seed(0)
    net = FusionNet(replace(SMALL, attention=False), LAYOUT, CLASSES).train()
    values, labels = features()
    rows = values[:7].float()
    fused = []
    for name, begin, width in (("text", 0, 16), ("image", 32, 12)):
        module = net.extraction[name]
        absent = rows[:, -2:] > 0.5
        tokens = []
        for place in (0, 1):
            given = rows[:, begin + place * width : begin + (place + 1) * width].clone()
            if name == "image":
                given[absent[:, place]] = module.missing
            tokens.append(given)
        hidden = torch.cat(tokens)
        for linear in (module.first, module.second):
            hidden = linear(hidden)
            mean, var = hidden.mean(0), hidden.var(0, unbiased=False)
            hidden = torch.relu((hidden - mean) / torch.sqrt(var + 1e-5))
        assert hidden.shape == (14, width // 4)
        fused += [hidden[:7], hidden[7:]]
    expected = net.mlp(torch.cat(fused, dim=1))
    logits = net(rows, torch.as_tensor(labels[:7])).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    assert [layer.out_features for layer in net.mlp if isinstance(layer, nn.Linear)] == [7, 3, 5]


def _numpy(module: nn.Linear, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    weight, bias = (part.detach().numpy() for part in (module.weight, module.bias))
    result: npt.NDArray[np.float64] = rows @ weight.T + bias
    return result


def _attended(
    module: PairAttention, tokens: npt.NDArray[np.float64], others: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Attention head by head, as Vaswani et al. write it."""
    query, key, value = (
        np.stack(np.split(_numpy(part, given), module.heads, axis=-1), axis=1)
        for part, given in ((module.query, tokens), (module.key, others), (module.value, others))
    )
    scores = np.exp(np.einsum("bhqd,bhkd->bhqk", query, key) / np.sqrt(query.shape[-1]))
    heads = np.einsum("bhqk,bhkd->bhqd", scores / scores.sum(-1, keepdims=True), value)
    return _numpy(module.output, np.concatenate(list(heads.transpose(1, 0, 2, 3)), axis=-1))


def _tokens(width: int) -> Tensor:
    return torch.randn(5, 2, width, generator=torch.Generator().manual_seed(width))


def test_one_vector_of_both_tokens_attends_to_itself_alone(double: None) -> None:
    net = FusionNet(replace(SMALL, attention_over="one-vector"), LAYOUT, CLASSES).eval()
    fused = []
    values, labels = features()
    for name, _ in LAYOUT.widths():
        tokens = net.extraction[name](*LAYOUT.pair(values[:5], name)).detach().numpy()
        module = net.attention[name]
        # A softmax over one key is 1: what is left is linear in the vector.
        joined = tokens.reshape(5, -1)
        fused.append(_numpy(module.output, _numpy(module.value, joined)))
        assert joined.shape[1] == module.query.in_features
    expected = net.mlp(torch.from_numpy(np.concatenate(fused, axis=1)))
    logits = net(values[:5], torch.as_tensor(labels[:5])).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)


def test_cross_attention_reads_the_other_modality(double: None) -> None:
    fusion = CrossAttention((6, 4), (8, 2, 0.0))
    text, image = _tokens(6), _tokens(4)
    rows = (text.numpy(), image.numpy())
    expected = [
        rows[0] + _attended(fusion.text, rows[0], rows[1]),
        rows[1] + _attended(fusion.image, rows[1], rows[0]),
    ]
    joined = np.concatenate([part.reshape(5, -1) for part in expected], axis=1)
    np.testing.assert_allclose(fusion(text, image).detach().numpy(), joined, atol=1e-12)


def test_bilinear_pooling_is_a_product_of_projections(double: None) -> None:
    fusion = Bilinear((6, 4))
    text, image = _tokens(6), _tokens(4)
    factors = [
        np.tanh(_numpy(layer, rows.numpy().reshape(5, -1)))
        for layer, rows in ((fusion.text, text), (fusion.image, image))
    ]
    fused = fusion(text, image).detach().numpy()
    np.testing.assert_allclose(fused, factors[0] * factors[1], atol=1e-12)
    assert fused.shape == (5, 20)


def test_the_paper_states_dropout_for_the_extraction_alone() -> None:
    net = FusionNet(CONFIG, LAYOUT, CLASSES)
    assert net.extraction["text"].dropout.p == 0.2
    assert net.attention["text"].dropout.p == 0.0
    as_before = FusionNet(replace(CONFIG, attention_dropout=None), LAYOUT, CLASSES)
    assert as_before.attention["text"].dropout.p == 0.2


def test_the_missing_vector_is_learned() -> None:
    net = FusionNet(SMALL, LAYOUT, CLASSES).train()
    values, labels = features()
    net(values.float(), torch.as_tensor(labels)).loss.backward()
    gradient = net.extraction["image"].missing.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    assert net.extraction["text"].missing is None


def test_what_may_differ_within_a_stack() -> None:
    key = Trainable.load("factify_fusion").stack_group(CONFIG)
    for free in ({"smoothing": 0.3}, {"ema_decay": 0.0}, {"learning_rate": 1e-3}, {"epochs": 9}):
        assert Trainable.load("factify_fusion").stack_group(replace(CONFIG, **free)) == key
    for shape in ({"heads": 8}, {"dropout": 0.5}, {"modalities": "text"}, {"attention": False}):
        assert Trainable.load("factify_fusion").stack_group(replace(CONFIG, **shape)) != key
    assert stack_key(replace(CONFIG, frozen=False)) is None
    assert Trainable.load("factify_fusion").stack_group(replace(CONFIG, frozen=False)) is None


def test_the_space_is_section_5_1_and_table_2() -> None:
    assert (CONFIG.learning_rate, CONFIG.batch_size, CONFIG.smoothing) == (5e-4, 32, 0.1)
    assert (CONFIG.attention_dim, CONFIG.heads, CONFIG.dropout) == (256, 4, 0.2)
    assert SPACE.complete(SPACE.references["proposed"])["epochs"] == 50
    assert SPACE.cleaning == ("urls", "stop-words", "punctuation")
    assert not any(SPACE.complete(SPACE.references[row])["frozen"] for row in SPACE.ablation)
    assert {axis.name for axis in SPACE.axes} >= {"batch_size", "weight_decay", "fusion"}
    frozen = SPACE.fix({"frozen": True})
    assert all(frozen.complete(frozen.references[row])["frozen"] for row in SPACE.ablation)
    assert (SPACE.objective, SPACE.mode) == ("weighted_f1", "max")
    assert (*SPACE.ablation, "organisers-baseline") == tuple(PAPER_ABLATION)
    assert {len(row) for row in PAPER_ABLATION.values()} == {len(PAPER_CLASSES) + 1}


def test_a_config_out_of_range_names_each_field() -> None:
    with pytest.raises(ConfigError, match=r"heads at least 1, and a divisor.*got 3.*smoothing in"):
        replace(CONFIG, heads=3, smoothing=1.0)
    with pytest.raises(ConfigError, match="modalities one of text, image, both, got 'sound'"):
        replace(CONFIG, modalities="sound")
