"""Expected cells and time of a sweep, without measuring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from search.formatting import counted, duration
from search.planning.plan import Plan
from search.process.environment import usable_cpus
from search.spec.sweep_spec import Resources
from search.strategies.board import typical_cells
from search.strategies.named import most_cells

if TYPE_CHECKING:
    from search.ledger.records import LoggedCell

_LONG_S = 1800.0  # of a run that may be wanted shorter
_LEAST_LIKE = 3  # cells of the ledger that tell the time of more like them


@dataclass(frozen=True)
class Expected:
    """Number of cells that a sweep will need.

    Attributes:
        strategy: Its strategy.
        typical: Cells that it usually needs; `most` where nothing is usual.
        most: Cells that it never exceeds.
        grid: Configs times blocks.
    """

    strategy: str
    typical: int
    most: int
    grid: int

    @classmethod
    def of(cls, plan: Plan) -> Expected:
        """That of a plan."""
        spec, budget = plan.spec, plan.spec.budget
        most = most_cells(spec.strategy, plan.problem, budget.max_cells, budget.stop_margin)
        typical = most
        if spec.strategy == "race" and (budget.max_cells is None or budget.stop_margin is not None):
            typical = min(typical_cells(plan.problem), most)
        return cls(spec.strategy, typical, most, len(plan.configs) * len(plan.blocks))

    def line(self, hours: str = "") -> str:
        """The cells in words, and what they take."""
        about = "about" if self.typical < self.most else "at most"
        cells = counted(self.typical, "cell")
        share = self.typical / self.grid
        grid = f", {_percent(share)} of the grid's {self.grid:,}" if share < 1 else ", the grid"
        return f"{self.strategy}: {about} {cells}{grid}{hours and f', {hours}'}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{100 * share:.1g}%"


def slots_here(resources: Resources) -> tuple[int, float]:
    """Number of stacks this machine trains at once, and GPUs of each."""
    import torch

    gpus = torch.cuda.device_count()
    each = resources.gpus_per_trial if resources.gpus_per_trial is not None else float(gpus > 0)
    workers = resources.workers_per_trial
    by_cpu = int(usable_cpus() / (workers * resources.cpus_per_trial))
    slots = min(by_cpu, int(gpus / (workers * each))) if each else by_cpu
    return max(1, min(slots, resources.trials or slots)), each


def gpus_here() -> str | None:
    """Number, name and memory of this machine's GPUs; None without."""
    import torch

    if not torch.cuda.is_available():
        return None
    every = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    kinds = Counter((each.name, each.total_memory) for each in every)
    return ", ".join(
        f"{n} x {name} ({memory / 2**30:.0f} GiB)" for (name, memory), n in kinds.items()
    )


def seconds_of_like_cells(plan: Plan, known: Mapping[str, LoggedCell]) -> float | None:
    """Median seconds of similar cells in the ledger; None if too few.

    Like are those of the plan itself; else those of the same data and model that agree in what
    decides the shapes of tensors and the number of steps.

    Args:
        plan: The sweep.
        known: Cells of its data, model and split, by key.
    """
    own = [cell for key, cell in known.items() if key in plan.keys]
    names = plan.space.shape
    shapes = Counter(tuple(str(config.get(name)) for name in names) for config in plan.configs)
    like = [
        cell
        for cell in known.values()
        if tuple(str(cell.params.get(name)) for name in names) in shapes
    ]
    for cells in (own, like):
        timed: dict[tuple[str, ...], list[float]] = {}
        for cell in cells:
            if "seconds" in cell.metrics:
                shape = tuple(str(cell.params.get(name)) for name in names)
                timed.setdefault(shape, []).append(cell.metrics["seconds"])
        every = [seconds for some in timed.values() for seconds in some]
        if len(every) < _LEAST_LIKE:
            continue
        # By the configs of each shape: a reference without a network is soon done.
        known_shapes = {shape: many for shape, many in shapes.items() if shape in timed}
        if not known_shapes:
            return median(every)
        whole = sum(many * median(timed[shape]) for shape, many in known_shapes.items())
        return whole / sum(known_shapes.values())
    return None


def before_the_run(
    plan: Plan,
    known: Mapping[str, LoggedCell],
    measured: Callable[[], float | None] = lambda: None,
) -> str:
    """Line that a run prints before it starts: cells and time.

    Args:
        plan: The sweep.
        known: Cells of its data, model and split in the ledger, by key.
        measured: Gives the mean seconds of a cell, where the ledger does not tell.
    """
    expected = Expected.of(plan)
    left = max(0, expected.typical - sum(key in plan.keys for key in known))
    if not left:
        return expected.line()
    seconds, source = seconds_of_like_cells(plan, known), "as like cells in the ledger took"
    if seconds is None:
        seconds, source = measured(), "by a few steps timed just now"
    if seconds is None:
        return expected.line() + "; `foldrace plan` measures the time"
    resources = plan.spec.resources
    if resources.ray_address != "local":
        hours = f"{duration(seconds * left)} of training in all"
        return f"{expected.line(f'about {hours}')}, {source}"
    slots = slots_here(resources)[0]
    # Ray's start comes on top, and is no part of a cell.
    wall = max(1.0, seconds * left / slots)
    hours = f"{duration(wall)} of training on {counted(slots, 'slot')}"
    limited = plan.spec.budget.max_hours is not None or wall < _LONG_S
    way_out = "" if limited else "; --max-hours ends it sooner, with the best so far"
    return f"{expected.line(f'about {hours}')}, {source}{way_out}"
