"""Cost of a sweep in time and money, from measured training steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from search.formatting import counted, duration, hundredths
from search.planning import notes
from search.planning.cost.expected import Expected, gpus_here, slots_here
from search.planning.plan import Plan
from search.process import launchers
from search.process.environment import threads

if TYPE_CHECKING:
    from trainables.engine.contract import Scalar
    from trainables.engine.datasets.load import TextData
    from trainables.engine.splits.audit import Audit

_MEASURED_SHAPES = 6
_MEASURING_S = 16.0  # in all shapes together
_LETTERS_OF_A_TOKEN = 4.5
# Operations of a slot that take two minutes on a busy core, and less on any other.
_SHORT_RUN = 1.2e12


@dataclass(frozen=True)
class Timed:
    """Seconds of a cell, and the epochs that it takes."""

    seconds: float
    epochs: float


@dataclass(frozen=True)
class Estimate:
    """Cost of a sweep: the usual one, and an upper bound.

    Attributes:
        strategy: Its strategy.
        configs: Configs that compete.
        cells: Configs times blocks.
        cells_in_ledger: Cells that need no training.
        typical_cells: Cells that the strategy usually needs, those in the ledger counted.
        typical_hours: Wall time of those of them that are to be trained, on this machine's slots.
        cells_to_train: Cells that are trained at most.
        nested_cells: Cells of the inner sweeps of --nested and of its outer folds; 0 without.
        nested_cells_to_train: Those of them that the ledger does not have.
        seconds_per_cell: Mean over the configs, from measured steps on this machine.
        together: Cells that the measured steps trained as one model.
        shapes: Shapes of cells, of which `shapes_measured` were measured.
        shapes_measured: See shapes.
        slots: Stacks that train at once on this machine.
        wall_hours: Wall time of all cells to train on these slots.
        gpu_hours: Hours of GPUs reserved; 0 without one.
        slot_hours: Hours of training, summed over slots.
        money: `slot_hours` times the price per hour; None without a price.
        gpus: GPUs of this machine with their memory, in words; None without any.
    """

    strategy: str
    configs: int
    cells: int
    cells_in_ledger: int
    typical_cells: int
    typical_hours: float
    cells_to_train: int
    nested_cells: int
    nested_cells_to_train: int
    seconds_per_cell: float
    together: int
    shapes: int
    shapes_measured: int
    slots: int
    wall_hours: float
    gpu_hours: float
    slot_hours: float
    money: float | None
    gpus: str | None = None

    def lines(self) -> list[str]:
        """The estimate in words: what it will take, then the bound."""
        money = "" if self.money is None else f", {self.money:,.2f} at the price given"
        gpu = f", {hundredths(self.gpu_hours)} GPU hours" if self.gpu_hours else ""
        nested = (
            [f"nested           at most {self.nested_cells_to_train:,} more, on fewer rows each"]
            if self.nested_cells
            else []
        )
        most = self.cells_in_ledger + self.cells_to_train
        expected = Expected(self.strategy, min(self.typical_cells, most), most, self.cells)
        hours = f"{duration(3600 * self.typical_hours)} on {counted(self.slots, 'slot')}"
        stacks = f"{self.together} trained as one model" if self.together > 1 else "trained alone"
        unmeasured = self.shapes - self.shapes_measured
        dearest = (
            f"; {unmeasured} of {self.shapes} shapes are taken for as dear as the dearest measured"
            if unmeasured
            else ""
        )
        return [
            expected.line(hours),
            f"at most          {counted(self.cells_to_train, 'cell')}, "
            f"{duration(3600 * self.wall_hours)} on {counted(self.slots, 'slot')}"
            f" = {hundredths(self.slot_hours)} slot hours{gpu}{money}",
            f"configs          {self.configs:,}, {self.cells:,} cells in all, "
            f"{self.cells_in_ledger:,} of them in the ledger",
            *nested,
            f"a cell           {hundredths(self.seconds_per_cell)} s, from steps measured on this "
            f"machine, {stacks}{dearest}",
            *([] if self.gpus is None else [f"GPUs             {self.gpus}"]),
        ]


def estimate(
    plan: Plan,
    known: set[tuple[int, int]],
    price_per_hour: float | None,
    nested_known: Sequence[int] = (),
) -> Estimate:
    """Measure steps of the commonest shapes, and multiply.

    The measuring takes about 16 seconds in all.

    Args:
        plan: The sweep.
        known: (config, block) pairs that are in the ledger.
        price_per_hour: Price of an hour of one slot.
        nested_known: Number of cells in the ledger, by inner sweep of --nested.
    """
    slots, per_trial = slots_here(plan.spec.resources)
    measured, together = _measure(plan, slots, _MEASURING_S)
    shapes = {plan.shape((index, 0)) for index in range(len(plan.configs))}
    mean = _mean(plan, measured)

    expected = Expected.of(plan)
    cells, most = expected.grid, expected.most
    to_train = max(0, most - len(known))
    # An inner sweep may need what a sweep needs, and its pick's cell where the sweep may lack it.
    pick = int(most < cells)
    inner = [pick + max(0, most - count) for count in nested_known]
    # An inner cell's share of the rows, unless cells train on so many rows anyway.
    rows = 1.0 if plan.spec.train_rows else 1 - 1 / (plan.spec.folds or 1)
    slot_hours = (to_train + rows * sum(inner)) * mean / 3600
    usual = max(0, expected.typical - len(known))
    usual_inner = sum(pick + max(0, expected.typical - count) for count in nested_known)
    return Estimate(
        strategy=plan.spec.strategy,
        configs=len(plan.configs),
        cells=cells,
        cells_in_ledger=len(known),
        typical_cells=expected.typical,
        typical_hours=(usual + rows * usual_inner) * mean / 3600 / slots,
        cells_to_train=to_train,
        nested_cells=len(inner) * (pick + most),
        nested_cells_to_train=sum(inner),
        seconds_per_cell=mean,
        together=together,
        shapes=len(shapes),
        shapes_measured=len(measured),
        slots=slots,
        wall_hours=slot_hours / slots,
        gpu_hours=slot_hours * per_trial,
        slot_hours=slot_hours,
        money=None if price_per_hour is None else slot_hours * price_per_hour,
        gpus=gpus_here(),
    )


def before_a_run(plan: Plan, data: TextData) -> float | None:
    """Mean seconds of a cell, where measuring a few steps pays.

    None for a run that is short in any case, or trains elsewhere. A GPU's memory is left to the
    workers: this process would keep a part of it for as long as it lives.
    """
    import torch

    from trainables.engine.cells.trainable import Trainable
    from trainables.engine.models import pretrained

    trainable = Trainable.load(plan.space.trainable)
    heads = trainable.may_train_heads or trainable.base is not None
    if (
        trainable.train is not None
        or heads
        or plan.spec.resources.ray_address != "local"
        or torch.cuda.is_available()
    ):
        return None
    weights = sum(p.numel() for p in pretrained.load_encoder(plan.task.model).parameters())
    tokens = sum(map(len, data.texts)) / _LETTERS_OF_A_TOKEN
    slots, _ = slots_here(plan.spec.resources)
    if 6 * weights * tokens * Expected.of(plan).typical / slots < _SHORT_RUN:
        return None
    return _mean(plan, _measure(plan, slots, _MEASURING_S / 2)[0])


def _mean(plan: Plan, measured: Mapping[object, Timed]) -> float:
    """Mean seconds of a cell over all configs.

    Shapes that were not measured are taken for as dear as the dearest.
    """
    dearest = max(measured.values(), key=lambda timed: timed.seconds / timed.epochs)
    seconds = 0.0
    for index, config in enumerate(plan.configs):
        timed = measured.get(plan.shape((index, 0)), dearest)
        seconds += timed.seconds * _epochs(config) / timed.epochs
    return seconds / len(plan.configs)


def _epochs(config: Mapping[str, Scalar]) -> float:
    number = config.get("epochs", 1)
    return float(number) if isinstance(number, int | float) else 1.0


def _measure(plan: Plan, slots: int, most_s: float) -> tuple[dict[object, Timed], int]:
    """Time of a cell by measured shape, and the stack size."""
    import torch

    from trainables.engine.cells.runner import measure
    from trainables.engine.cells.trainable import Trainable
    from trainables.engine.training.cost import Clock

    torch.set_num_threads(threads(plan.spec.resources.cpus_per_trial))
    shapes = [plan.shape((index, 0)) for index in range(len(plan.configs))]
    # The baseline trains no proxies, so it must not stand for its shape where another can.
    others = [index for index in range(len(shapes)) if index != plan.baseline]
    first = [*([] if plan.baseline is None else [plan.baseline]), *reversed(others)]
    example = {shapes[index]: index for index in first}
    measured: dict[object, Timed] = {}
    stack, together = plan.spec.resources.stack, 1
    clock = Clock(most_s)
    chosen = Counter(shapes).most_common(_MEASURED_SHAPES)
    for number, (shape, many) in enumerate(chosen):
        if measured and clock.left <= 0:
            break
        with launchers.forgotten():
            timing = measure(
                plan.task,
                plan.cell((example[shape], 0)),
                stack=stack,
                cells=many * len(plan.blocks) // slots,
                clock=clock.share(1 / (len(chosen) - number)),
                each_epoch=plan.spec.resources.epoch_scores == "each",
            )
        measured[shape] = Timed(timing.seconds_per_cell, _epochs(plan.configs[example[shape]]))
        together = max(together, timing.stack_size)
        if not Trainable.load(plan.space.trainable).may_train_heads:
            # What was found for the commonest shape will do: a probe takes most of a minute.
            stack = timing.stack_size
    return measured, together


def document(plan: Plan, data: TextData, audit: Audit, cost: Estimate) -> dict[str, Any]:
    """The plan as `plan --json` prints it."""
    trained, scored = rows_of_a_cell(plan, data)
    return {
        "sweep": plan.spec.name,
        "space": plan.spec.space,
        "data": plan.spec.data.name,
        "rows": len(data.texts),
        "rows_trained": trained,
        "rows_scored": scored,
        "classes": list(data.label_names),
        "model": plan.spec.model,
        "left_out": list(plan.left_out),
        "off_grid": dict(plan.off_grid),
        "notes": notes.of(plan, trained),
        "audit": audit.to_json(),
        **asdict(cost),
    }


def rows_of_a_cell(plan: Plan, data: TextData) -> tuple[int, int]:
    """Rows that the first cell trains on, and scores.

    Those of other cells differ by a few.
    """
    from trainables.engine.splits import folds

    trained, scored = folds.held_out(data, plan.task.split, *plan.blocks[0])
    return len(trained), len(scored)
