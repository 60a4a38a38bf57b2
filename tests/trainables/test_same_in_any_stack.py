"""A cell's numbers are its key's: alone, in any stack, in any order, and after a resume.

Walks the registry: a new trainable is held to it without a line here, if a space of its own names
it and the reviews will do for data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from spaces import Space
from tests.trainables import clip_models
from tests.trainables.tasks import task_of, task_of_reviews
from trainables.engine import registry
from trainables.engine.cells import assembly, runner, stacks
from trainables.engine.cells.sizing import Sizer
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.inputs import stack_inputs
from trainables.engine.inputs.ragged import Ragged
from trainables.engine.models.output import Output
from trainables.engine.training import checkpoint, loop
from trainables.triple_entropy import TripleEntropy

TRAINABLES = registry.names("trainables")
# What makes a cell small, where the trainable has such a field.
SMALL: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "max_length": 16,
    "learning_rate": 3e-3,
    "k": 3,
    "warmup_fraction": 0.1,
}
# Where a space's last reference would leave out most of what the trainable draws.
CHOSEN: dict[str, tuple[str, dict[str, Any]]] = {
    "contrastive": ("lcl", {"views": "dropout"}),
    "factify_fusion": (
        "without-multilingual",
        {"heads": 2, "attention_dim": 8, "ema_decay": 0.9, "max_length": 12},
    ),
    "linear_eval": ("final-model", {"representation": "encoder-mean"}),
    "mirror": ("mirror", {}),
    "encoder_linear": ("frozen", {"trainable_blocks": 1}),
    "finetune": ("usual", {"class_weights": "balanced", "label_smoothing": 0.1}),
    "triple_entropy": ("paper-best", {"padding_tokens": True}),
    "tweets": ("paper", {"head_layers": 2, "class_weights": "balanced"}),
}
RATES, BLOCKS = (3e-3, 1e-3, 3e-2), ((2, 0), (16, 1), (2, 1))


class Cut(BaseException):
    """A worker's death between two epochs."""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(checkpoint, "LEAST_EPOCH_S", 0.0)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules, features and the states of frozen blocks in float64."""
    module, features, padded = assembly.module, stack_inputs.FeatureInputs.__init__, Ragged.padded

    def wide(
        own: Ragged, rows: npt.NDArray[np.int64] | Tensor, length: int | None = None
    ) -> dict[str, Tensor]:
        batch = padded(own, rows, length)
        return {
            name: one.double() if one.is_floating_point() else one for name, one in batch.items()
        }

    monkeypatch.setattr(Ragged, "padded", wide)
    monkeypatch.setattr(assembly, "module", lambda *given: module(*given).double())
    monkeypatch.setattr(
        stack_inputs.FeatureInputs, "__init__", lambda own, values: features(own, values.double())
    )


@pytest.fixture(scope="module")
def uneven(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thirds of the reviews, of three to eight words: stacks pad a batch to its neighbours'."""
    lines = reviews.read_text(encoding="utf-8").splitlines()
    kept = [lines[0]]
    for number, line in enumerate(lines[1:81]):
        words, _, label = line.rpartition(",")
        kept.append(f"{' '.join(words.split()[number % 6 :])},{label}")
    path = tmp_path_factory.mktemp("uneven") / "reviews.csv"
    path.write_text("\n".join(kept), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def of(
    uneven: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Task]:
    """A trainable's task."""

    def task(trainable: str) -> Task:
        if trainable != "factify_fusion":
            return task_of_reviews(trainable, tiny_encoder, uneven)
        folder = tmp_path_factory.mktemp("pairs")
        return task_of(
            trainable,
            clip_models.clip(folder / "clip"),
            name=str(clip_models.pairs(folder)),
            text="Claim",
            text_b="Document",
            label="Category",
            image="Claim_image",
            image_b="Document_image",
        )

    return task


def config_of(trainable: str) -> dict[str, Any]:
    spaces = [registry.load("spaces", name, "SPACE") for name in registry.names("spaces")]
    own: list[Space] = [space for space in spaces if space.trainable == trainable]
    assert own, f"no space searches {trainable}: give it one, so that it can be tested"
    named = {name: (space, given) for space in own for name, given in space.references.items()}
    chosen, changes = CHOSEN.get(trainable, (list(named)[-1], {}))
    space, reference = named[chosen]
    fields = {
        field.name for field in dataclasses.fields(registry.load("trainables", trainable, "Config"))
    }
    small = {name: value for name, value in {**SMALL, **changes}.items() if name in fields}
    return {**space.complete(reference), **small}


def cells_of(config: Mapping[str, Any]) -> list[Cell]:
    """Eight cells: three configs of one shape on blocks that they share, but for the last."""
    given = [
        Cell(
            key=f"{rate} {seed} {fold}",
            config={**config, "learning_rate": rate},
            seed=seed,
            fold=fold,
        )
        for seed, fold in BLOCKS
        for rate in RATES
    ]
    return given[:8]


def trained(task: Task, cells: Sequence[Cell], **how: Any) -> dict[str, CellResult]:
    found: dict[str, CellResult] = {}
    runner.train_cells(task, cells, lambda one: found.__setitem__(one.key, one), **how)
    assert len(found) == len(cells)
    return found


def resumed(task: Task, cell: Cell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CellResult:
    """The cell, cut off after its first epoch and gone on with."""
    epoch, numbers = loop.Training.epoch, []

    def until_cut(own: loop.Training, number: int, most_steps: int | None = None) -> float:
        if number == 1 and 1 not in numbers:
            numbers.append(number)
            raise Cut
        numbers.append(number)
        torch.rand(3)  # what else the process draws decides nothing
        return epoch(own, number, most_steps)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "epoch", until_cut)
        with pytest.raises(Cut):
            trained(task, [cell], stack=1, checkpoints=folder)
        result = trained(task, [cell], stack=1, checkpoints=folder)[cell.key]
    assert numbers == [0, 1, 1], "the first epoch is not trained again"
    return result


def the_same(found: CellResult, expected: CellResult, gap: float) -> None:
    assert (found.status, found.error) == ("done", None)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=gap)
    timeless = expected.metrics.keys() - {"seconds", "peak_memory_mib"}
    for name in timeless:
        assert found.metrics[name] == pytest.approx(expected.metrics[name], rel=gap, abs=gap), name
    for one, other in zip(found.epochs, expected.epochs, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=gap)


@pytest.mark.parametrize("trainable", TRAINABLES)
def test_a_cell_is_the_same_alone_in_any_stack_and_after_a_resume(
    trainable: str,
    of: Callable[[str], Task],
    double: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, cells = of(trainable), cells_of(config_of(trainable))
    alone = trained(task, cells, stack=1)
    turned = [cells[place] for place in (6, 3, 1, 7, 0, 5, 2, 4)]
    for order in (cells, turned):
        for size in (2, 3, 8):
            for key, found in trained(task, order, stack=size).items():
                the_same(found, alone[key], 1e-5)
    assert len({one.probabilities.tobytes() for one in alone.values()}) == len(cells)
    entry = Trainable.load(trainable)
    if entry.representation(entry.bind(cells[0].config)) is None:
        found = resumed(task, cells[4], tmp_path, monkeypatch)
        the_same(found, alone[cells[4].key], 1e-5)


@pytest.mark.parametrize("trainable", TRAINABLES)
def test_optional_settings_are_the_same_in_a_stack(
    trainable: str, of: Callable[[str], Task], double: None
) -> None:
    """Epochs chosen on rows kept apart, a constant rate, other dropout; shares differ by cell."""
    config = config_of(trainable)
    rates = {"hidden_dropout": 0.2, "attention_dropout": 0.3, "head_dropout": 0.4}
    fields = {
        field.name for field in dataclasses.fields(registry.load("trainables", trainable, "Config"))
    }
    config |= {name: rate for name, rate in rates.items() if name in fields}
    config |= {"schedule": "constant"} | ({"pooling": "pooler"} if "head_dropout" in fields else {})
    cells = [
        dataclasses.replace(cell, config={**config, "inner_share": share})
        for cell, share in zip(cells_of(config)[:3], (0.2, 0.3, 0.0), strict=True)
    ]
    alone = trained(of(trainable), cells, stack=1)
    for key, found in trained(of(trainable), cells, stack=3).items():
        the_same(found, alone[key], 1e-5)
    chosen = [alone[cell.key].metrics.get("chosen_epoch") for cell in cells]
    assert chosen[2] is None
    assert {1.0, 2.0} >= set(chosen[:2])
    settings = {**config, "inner_share": 0.0, **dict.fromkeys(rates.keys() & fields)}
    plain = trained(of(trainable), [dataclasses.replace(cells[2], config=settings)], stack=1)
    differ = not np.array_equal(
        plain[cells[2].key].probabilities, alone[cells[2].key].probabilities
    )
    assert differ == bool(rates.keys() & fields)


@pytest.mark.parametrize("trainable", TRAINABLES)
def test_adapters_of_any_rank_in_a_stack_are_those_of_peft(
    trainable: str, of: Callable[[str], Task], double: None
) -> None:
    config = config_of(trainable)
    if not issubclass(registry.load("trainables", trainable, "Config"), FineTuning):
        pytest.skip("it tunes no encoder")
    config |= {"lora_dropout": 0.2, "lora_targets": "all-linear", "learning_rate": 0.03}
    kinds: list[dict[str, Any]] = [
        {"lora_rank": 1},
        {"lora_rank": 4, "lora_alpha": 3.0},
        {"lora_rank": 2, "lora_rank_stabilised": True},
    ]
    cells = [
        dataclasses.replace(cell, config={**config, **kind})
        for cell, kind in zip(cells_of(config)[1:4], kinds, strict=True)
    ]
    task = of(trainable)
    alone = trained(task, cells, stack=1)  # peft's own layers
    sizes = []
    train_stack = stacks.train_stack

    def counted(*given: Any) -> Any:
        sizes.append(len(given[2]))
        return train_stack(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacks, "train_stack", counted)
        together = trained(task, cells, stack=3)
    assert sizes == [3], "ranks are padded"
    for key, found in together.items():
        the_same(found, alone[key], 1e-5)


def test_a_model_that_draws_in_its_own_way_trains_alone(
    of: Callable[[str], Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = TripleEntropy.forward

    def noisy(own: TripleEntropy, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        output = forward(own, inputs, labels)
        if not own.training:
            return output
        return Output(loss=output.loss * (0.5 + torch.rand(())), logits=output.logits)

    monkeypatch.setattr(TripleEntropy, "forward", noisy)
    task, cells = of("triple_entropy"), cells_of(config_of("triple_entropy"))[:3]
    alone = trained(task, cells, stack=1)
    for key, found in trained(task, cells[::-1], stack=3, sizer=Sizer()).items():
        the_same(found, alone[key], 1e-5)
