"""Recorded steps of a stack, replayed by a stand-in for CUDA's graphs.

The stand-in runs the function that was recorded again, on the tensors that it was recorded with: a
value that reaches a step in any other way is that of the recording, and the numbers differ.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.factories import stack_cell
from tests.trainables.engine.stacking import test_stack_encoders as encoders
from trainables.engine import seeding
from trainables.engine.inputs.stack_inputs import TokenInputs, rounded_up
from trainables.engine.inputs.tokens import Tokens
from trainables.engine.stacking import fit_stack as fitting
from trainables.engine.stacking import trainer
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.module import StackedModule, span
from trainables.engine.stacking.recorded import RecordedSteps
from trainables.triple_entropy import build


class Again:
    """A recording that runs the step again and puts its output in place."""

    def __init__(self, step: Callable[[], Any], output: Any) -> None:
        self.step, self.output = step, output

    def replay(self) -> None:
        made = self.step()
        if self.output is not None:
            self.output.copy_(made)


class Replayed(RecordedSteps):
    """Recordings without a GPU."""

    made = replays = 0

    def __init__(self, device: torch.device, record: bool = True) -> None:
        super().__init__(device, record)
        self.records = record

    def _captured(self, step: Callable[[], Any]) -> tuple[Any, Any]:
        type(self).made += 1
        # Scoring returns what is overwritten; training, which moves weights, returns nothing.
        output = None if torch.is_grad_enabled() else step()
        return Again(step, output), output


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Replayed]]:
    Replayed.made = 0
    monkeypatch.setattr(trainer, "RecordedSteps", Replayed)
    yield Replayed
    fitting.let_go()


def cells(base: Any, seeds: tuple[int, ...], **change: Any) -> list[StackCell]:
    """Cells with last batches of 1 and of 8 rows, and settings of their own."""
    made = []
    for number, seed in enumerate(seeds):
        config = replace(
            encoders.CONFIG,
            gamma=0.1 / (1 + number),
            learning_rate=1e-3 * (1 + number),
            clip_norm=0.05 * (number % 2),
            **change,
        )
        with seeding.drawing_from(seed, "init"):
            module = build(config, copy.deepcopy(base), encoders.CLASSES)
        held_out = range(9) if number % 3 else range(20, 30)
        made.append(stack_cell(module, config, seed, held_out, encoders.ROWS))
    return made


def fits(members: list[StackCell], data: Tokens, kind: str | None) -> list[Any]:
    found: dict[int, Any] = {}
    score = lambda labels, _: [{} for _ in labels]  # noqa: E731
    fitting.fit_stack(members, TokenInputs(data), data.labels, found.__setitem__, score, kind=kind)
    return [found[number] for number in range(len(members))]


def equal(some: list[Any], others: list[Any]) -> None:
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        losses = [[epoch["train_loss"] for epoch in fit.epochs] for fit in (one, other)]
        assert losses[0] == losses[1]


@pytest.mark.parametrize("decay", [1.0, 0.8], ids=["one rate", "layer decay"])
@pytest.mark.parametrize("apart", [True, False], ids=["cells stepped apart", "stepped together"])
def test_a_replayed_stack_and_its_successor_train_as_unrecorded_ones(
    apart: bool, decay: float, replayed: type[Replayed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", 1 if apart else 2**40)
    base = encoders.pretrained("bert", dropout=0.2)
    data = encoders.tokens()
    first, second = (2, 16, 7, 16), (3, 5, 9, 1)
    found = [fits(cells(base, seeds, layer_decay=decay), data, "same") for seeds in (first, second)]
    of_both = replayed.made
    assert of_both > 0
    monkeypatch.setattr(trainer, "RecordedSteps", RecordedSteps)
    fitting.let_go()
    for seeds, fit in zip((first, second), found, strict=True):
        equal(fit, fits(cells(base, seeds, layer_decay=decay), data, None))


def test_the_successor_of_a_stack_records_nothing_anew(replayed: type[Replayed]) -> None:
    base = encoders.pretrained("bert", dropout=0.2)
    data = encoders.tokens()
    for _ in range(2):  # the first step of all is run as it is
        fits(cells(base, (2, 16, 7)), data, "same")
    before = replayed.made
    fits(cells(base, (2, 16, 7)), data, "same")
    assert replayed.made == before
    # What a recording holds as a number is no other cell's.
    fits(cells(base, (2, 16, 7), layer_decay=0.9), data, "same")
    assert replayed.made > before
    before = replayed.made
    fits(cells(base, (2, 16, 7)), data, "another")
    assert replayed.made > before


def test_stacks_that_end_at_different_epochs_are_recorded_anew(
    replayed: type[Replayed], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = encoders.pretrained("bert", dropout=0.0)
    data = encoders.tokens()

    def members() -> list[StackCell]:
        short, long = cells(base, (2,), epochs=2), cells(base, (16, 7), epochs=4)
        return [*short, *long]

    found = fits(members(), data, "same")
    monkeypatch.setattr(trainer, "RecordedSteps", RecordedSteps)
    equal(found, fits(members(), data, None))


def test_a_step_that_cannot_be_recorded_is_run_as_it_is(
    replayed: type[Replayed], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: RecordedSteps, step: Callable[[], Any]) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(Replayed, "_captured", refuse)
    base = encoders.pretrained("bert", dropout=0.2)
    data = encoders.tokens()
    found = fits(cells(base, (2, 16)), data, "same")
    assert [record.message for record in caplog.records] == [
        "steps of this stack are not recorded: operation not permitted when stream is capturing"
    ]
    monkeypatch.setattr(trainer, "RecordedSteps", RecordedSteps)
    equal(found, fits(cells(base, (2, 16)), data, None))


def test_a_run_of_cells_has_gradients_of_its_own_size() -> None:
    stack = StackedModule([_Loss() for _ in range(4)])
    inputs, labels = torch.ones(2, 3, 5), torch.zeros(2, 3, dtype=torch.int64)
    stack(inputs, labels, span(torch.tensor([1, 2]), torch.device("cpu"))).loss.sum().backward()
    assert [tuple(part.grad.shape) for part in stack.parts if part.grad is not None] == [(2, 1, 5)]
    assert all(parameter.grad is None for parameter in stack.stacked)
    whole = [parameter.detach().clone() for parameter in stack.stacked]
    stack(inputs, labels, torch.tensor([1, 2])).loss.sum().backward()
    gathered = stack.stacked[0].grad
    assert gathered is not None
    assert (gathered[[0, 3]] == 0).all()
    assert torch.equal(whole[0], stack.stacked[0])


class _Loss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 1, bias=False)

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> Any:
        from trainables.engine.models.output import Output

        logits = self.layer(inputs)
        return Output(loss=logits.square().mean(), logits=logits)


@pytest.mark.parametrize(("given", "numbers"), [
    ([0, 1, 2], slice(0, 3)), ([3], slice(3, 4)), ([0, 2], None),
])  # fmt: skip
def test_cells_in_a_row_are_a_slice(given: list[int], numbers: slice | None) -> None:
    found = span(torch.tensor(given), torch.device("cpu"))
    assert found == numbers if numbers is not None else isinstance(found, torch.Tensor)


def test_lengths_are_rounded_up_to_few_sizes_and_by_less_than_an_eighth() -> None:
    rounded = {length: rounded_up(length) for length in range(1, 513)}
    assert all(length <= made and made % 8 == 0 for length, made in rounded.items())
    assert all(made - length < max(8, length / 8) for length, made in rounded.items())
    assert len(set(rounded.values())) <= 36
