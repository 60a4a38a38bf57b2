"""What a sweep would cost: time, GPU hours and money, from a few measured training steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from search import launchers
from search.formatting import duration
from search.plan import Plan
from search.surroundings import threads, usable_cpus

if TYPE_CHECKING:
    from trainables.engine.audit import Audit
    from trainables.engine.dataset import TextData

# Shapes measured, commonest first; the rest cost what the dearest of these does.
_MEASURED_SHAPES = 3


@dataclass(frozen=True)
class Estimate:
    """An upper bound: a strategy that stops losers early trains less.

    Attributes:
        configs: Configs that compete.
        cells: Configs times blocks.
        cells_in_ledger: Cells that need no training.
        cells_to_train: What a full grid would still train, within --max-cells.
        nested_cells: Cells of the inner sweeps of --nested and of its outer folds; 0 without.
        nested_cells_to_train: Those of them that the ledger does not have.
        seconds_per_cell: Mean over the configs, from measured steps on this machine.
        slots: Stacks that train at once on this machine.
        wall_hours: Of all cells to train on these slots.
        gpu_hours: Hours of GPUs reserved; 0 without one.
        slot_hours: Hours of training, summed over slots.
        money: `slot_hours` times the price per hour; None without a price.
    """

    configs: int
    cells: int
    cells_in_ledger: int
    cells_to_train: int
    nested_cells: int
    nested_cells_to_train: int
    seconds_per_cell: float
    slots: int
    wall_hours: float
    gpu_hours: float
    slot_hours: float
    money: float | None

    def lines(self) -> list[str]:
        """The estimate in words."""
        money = "" if self.money is None else f", {self.money:,.2f} at the price given"
        gpu = f", {self.gpu_hours:,.2f} GPU hours" if self.gpu_hours else ""
        nested = (
            [f"nested           at most {self.nested_cells_to_train:,} more, on fewer rows each"]
            if self.nested_cells
            else []
        )
        return [
            f"configs          {self.configs:,}",
            f"cells            {self.cells:,}, {self.cells_in_ledger:,} of them in the ledger",
            f"to train         at most {self.cells_to_train:,} "
            "(race, halving, tpe and random with --max-cells need fewer)",
            *nested,
            f"a cell           {self.seconds_per_cell:,.1f} s, from steps measured on this machine",
            f"in all           at most {duration(3600 * self.wall_hours)} on {self.slots} slots"
            f" = {self.slot_hours:,.2f} slot hours{gpu}{money}",
        ]


def estimate(
    plan: Plan,
    known: set[tuple[int, int]],
    price_per_hour: float | None,
    nested_known: Sequence[int] = (),
) -> Estimate:
    """Measure a few steps of the commonest shapes and multiply.

    Args:
        plan: The sweep.
        known: (config, block) pairs that are in the ledger.
        price_per_hour: Price of an hour of one slot.
        nested_known: Of each inner sweep of --nested, how many of its cells are in the ledger.
    """
    import torch

    from trainables.engine import hooks
    from trainables.engine.runner import measure

    resources = plan.spec.resources
    gpus = torch.cuda.device_count()
    per_trial = (
        resources.gpus_per_trial if resources.gpus_per_trial is not None else float(gpus > 0)
    )
    by_cpu = int(usable_cpus() / resources.cpus_per_trial)
    slots = max(1, min(by_cpu, int(gpus / per_trial)) if per_trial else by_cpu)
    torch.set_num_threads(threads(resources.cpus_per_trial))

    shapes = [plan.shape((index, 0)) for index in range(len(plan.configs))]
    # The baseline trains no proxies, so it must not stand for its shape.
    example = {
        shape: index for index, shape in reversed(list(enumerate(shapes))) if index != plan.baseline
    }
    example = example or {shapes[0]: 0}
    measured: dict[object, float] = {}
    stack = resources.stack
    for shape, many in Counter(shapes).most_common(_MEASURED_SHAPES):
        if shape in example:
            cells = many * len(plan.blocks) // slots
            cell = plan.cell((example[shape], 0))
            with launchers.forgotten():
                timing = measure(plan.task, cell, stack=stack, cells=cells)
            measured[shape] = timing.seconds_per_cell
            if not hooks.trains_heads(plan.space.trainable):
                # What was found for the commonest shape will do: a probe takes most of a minute.
                stack = timing.together
    dearest = max(measured.values())
    per_config = [measured.get(shape, dearest) for shape in shapes]
    mean = sum(per_config) / len(per_config)

    cells = len(plan.configs) * len(plan.blocks)
    limit = plan.spec.budget.max_cells or cells
    to_train = max(0, min(cells, limit) - len(known))
    # An inner sweep may need what a sweep needs, and its pick's cell where the sweep may lack it.
    pick = int(limit < cells)
    inner = [pick + max(0, min(cells, limit) - count) for count in nested_known]
    rows = 1 - 1 / (plan.spec.folds or 1)  # an inner cell's share of the rows
    slot_hours = (to_train + rows * sum(inner)) * mean / 3600
    return Estimate(
        configs=len(plan.configs),
        cells=cells,
        cells_in_ledger=len(known),
        cells_to_train=to_train,
        nested_cells=len(inner) * (pick + min(cells, limit)),
        nested_cells_to_train=sum(inner),
        seconds_per_cell=mean,
        slots=slots,
        wall_hours=slot_hours / slots,
        gpu_hours=slot_hours * per_trial,
        slot_hours=slot_hours,
        money=None if price_per_hour is None else slot_hours * price_per_hour,
    )


def document(plan: Plan, data: TextData, audit: Audit, cost: Estimate) -> dict[str, Any]:
    """The plan as `plan --json` prints it."""
    return {
        "sweep": plan.spec.name,
        "space": plan.spec.space,
        "data": plan.spec.data.name,
        "rows": len(data.texts),
        "classes": list(data.label_names),
        "model": plan.spec.model,
        "left_out": list(plan.left_out),
        "audit": audit.to_json(),
        **asdict(cost),
    }
