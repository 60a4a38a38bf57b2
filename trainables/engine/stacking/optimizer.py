"""AdamW of a stack: rate, decay and step count per cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

from trainables.engine.stacking.module import Cells, StackedModule, span

_BETAS, _EPSILON = (0.9, 0.999), 1e-8
# Number of weights from which on cells are stepped one after another by torch's fused kernel, which
# reads and writes each weight once; smaller ones all at once, since calls would cost more.
LEAST_APART = 2**18
# Number of weights that are stepped together: they stay in cache from pass to pass.
_VALUES_AT_ONCE = 2**18


def schedule_factor(schedule: str, step: Tensor, steps: Tensor, warmup: Tensor) -> Tensor:
    """Share of the peak learning rate: linear warm-up, then decay to 0.

    Args:
        schedule: "linear" or "cosine" decay, or "constant" for none.
        step: Number of steps taken, (cells,).
        steps: Number of steps in all, (cells,).
        warmup: Number of warm-up steps, (cells,).
    """
    rising = step / warmup.clamp(min=1)
    done = ((step - warmup) / (steps - warmup).clamp(min=1)).clamp(0, 1)
    if schedule == "constant":
        falling = torch.ones_like(done)
    else:
        falling = 1 - done if schedule == "linear" else 0.5 * (1 + torch.cos(math.pi * done))
    return torch.where(step < warmup, rising, falling)


class StackedAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2) of many cells.

    Cells that sit out a step are not moved by it. Vectors of a cell (biases, normalisation) are not
    decayed.

    Args:
        module: Stack on its device.
        learning_rates: Peak rate of each cell, (cells,), on the host, as all vectors here: nothing
            waits for a GPU.
        weight_decays: Decay of each cell, (cells,).
        least_apart: Number of a cell's weights from which on cells are stepped one by one.
        scales: Factor of each cell's rate by parameter of `module.stacked`, each (cells,); None for
            one rate of all parameters.

    Attributes:
        factors: Share of each cell's peak rate in the next step, (cells,).
        steps: Number of steps that each cell has taken, (cells,).
        cells: Cells that the next step moves, int64; None for all.
    """

    def __init__(
        self,
        module: StackedModule,
        learning_rates: Tensor,
        weight_decays: Tensor,
        least_apart: int | None = None,
        scales: Sequence[Tensor] | None = None,
    ) -> None:
        trained = [p for p in module.stacked if p.requires_grad]
        super().__init__(trained, {})
        self.learning_rates, self.weight_decays = learning_rates, weight_decays
        self.factors = torch.ones_like(learning_rates)
        self.steps = torch.zeros_like(learning_rates)
        self.cells: Tensor | None = None
        self._module = module
        self._trained = [p for p in module.stacked if p.requires_grad]
        self._kept: Tensor | None = None
        weights = sum(p.numel() for p in trained) // module.cells
        self._apart = weights >= (LEAST_APART if least_apart is None else least_apart)
        self._decays_here: Tensor | None = None
        self._device = trained[0].device if trained else torch.device("cpu")
        # On the device for cells that are stepped together, as numbers for those stepped apart.
        self._scales = None if scales is None else dict(zip(module.stacked, scales, strict=True))
        self._scales_here = self._on_device()
        # On the device, where a recorded step counts by itself.
        self._counts = torch.zeros(len(learning_rates), device=self._device)

    @property
    def rates(self) -> Tensor:
        """Rate of each cell in the next step, (cells,), on the host."""
        return self.learning_rates * self.factors

    @property
    def shape(self) -> Hashable:
        """All that decides a step's kernels, beside the gradients."""
        cells = None if self.cells is None else tuple(self.cells.tolist())
        parts = None if self._apart else tuple(self._parts(self._trained[0]))
        return cells, str(parts), tuple(self.weight_decays.tolist())

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the cells of `cells` by their gradients."""
        self.move(self.rates.to(self._device), span(self.cells, self._device))
        self.count()

    @torch.no_grad()
    def restart(self, learning_rates: Tensor, weight_decays: Tensor) -> None:
        """Begin again with as many other cells, in the memory of these."""
        self.learning_rates, self.weight_decays = learning_rates, weight_decays
        self.factors, self.steps = torch.ones_like(self.factors), torch.zeros_like(self.steps)
        self.cells = None
        self._counts.zero_()
        if self._decays_here is not None:
            self._decays_here.copy_(weight_decays)
        for state in self.state.values():
            for moment in state.values():
                moment.zero_()

    def _on_device(self) -> dict[Tensor, Tensor]:
        vectors = {} if self._scales is None else self._scales
        return {p: scale.to(self.learning_rates).to(self._device) for p, scale in vectors.items()}

    def count(self) -> None:
        """Note on the host that a step was taken."""
        self.steps[slice(None) if self.cells is None else self.cells] += 1

    @torch.no_grad()
    def move(self, rates: Tensor, cells: Cells) -> None:
        """Take a step by what lies on the device alone.

        Call `count` then.

        Args:
            rates: Rate of each cell, (cells,), on the device.
            cells: `cells` as an index on the device.
        """
        pairs = zip(self._module.stacked, self._module.parts, strict=True)
        moved = [(parameter, part.grad) for parameter, part in pairs if part.grad is not None]
        if self._apart:
            self._counts[slice(None) if cells is None else cells] += 1
            self._step_apart(rates, cells, moved)
            return
        step = self.begun(rates, cells)
        for parameter, gradient in moved:
            step(parameter, gradient)

    def _begin(self, parameter: Tensor) -> None:
        """Make a parameter's moments, if there are none yet."""
        if self.state[parameter]:
            return
        if parameter.is_cuda and torch.cuda.is_current_stream_capturing():
            raise RuntimeError("a recorded step may not begin a parameter's moments.")
        self.state[parameter]["first"] = torch.zeros_like(parameter)
        self.state[parameter]["second"] = torch.zeros_like(parameter)

    def _step_apart(
        self, rates: Tensor, cells: Cells, moved: Sequence[tuple[Tensor, Tensor]]
    ) -> None:
        """Step cell by cell, by the kernel of torch's own AdamW.

        Its class would take as long again.
        """
        for parameter, _ in moved:
            self._begin(parameter)
        # A rate on the device is read there.
        each: Sequence[float | Tensor] = list(rates) if rates.is_cuda else rates.tolist()
        decays, counts = self.weight_decays.tolist(), list(self._counts)
        scales = {} if self._scales is None else {p: self._scales[p].tolist() for p, _ in moved}
        start = cells.start if isinstance(cells, slice) else 0
        for cell in range(len(each)) if self.cells is None else self.cells.tolist():
            # Matrices are decayed, vectors are not.
            kinds: dict[tuple[bool, float], list[tuple[Tensor, Tensor]]] = {}
            for p, gradient in moved:
                scale = scales[p][cell] if scales else 1.0
                kinds.setdefault((p.ndim > 2, scale), []).append((p, gradient))
            for (wide, scale), own in kinds.items():
                decay = decays[cell] if wide else 0.0
                torch._fused_adamw_(
                    [p.detach()[cell] for p, _ in own],
                    [gradient[cell - start] for _, gradient in own],
                    [self.state[p]["first"][cell] for p, _ in own],
                    [self.state[p]["second"][cell] for p, _ in own],
                    [],
                    [counts[cell]] * len(own),
                    amsgrad=False,
                    beta1=_BETAS[0],
                    beta2=_BETAS[1],
                    lr=each[cell] if scale == 1 else each[cell] * scale,
                    weight_decay=decay,
                    eps=_EPSILON,
                    maximize=False,
                )

    @torch.no_grad()
    def begun(self, rates: Tensor, cells: Cells) -> Callable[[Tensor, Tensor], None]:
        """Begin a step, to be taken weight by weight.

        Args:
            rates: Rate of each cell, (cells,), on the device.
            cells: `cells` as an index on the device.

        Returns:
            Function of a parameter of the stack and its gradient, which steps it; to be called once
            for each, in any order.
        """
        self._counts[slice(None) if cells is None else cells] += 1
        if self._apart:
            return lambda parameter, gradient: self._step_apart(
                rates, cells, [(parameter, gradient)]
            )
        return self._together(rates, cells)

    def _together(self, rates: Tensor, cells: Cells) -> Callable[[Tensor, Tensor], None]:
        """Step many cells at once, at rates of their own.

        The fused kernel has one rate. It steps from 0 at a rate of 1, and the result is added at
        each cell's rate.
        """
        decays = self._decays()
        if cells is not None:
            rates, decays = rates[cells], decays[cells]
        shrink = 1 - rates * decays
        numbers = range(len(self.steps)) if self.cells is None else self.cells.tolist()

        def step(parameter: Tensor, gradient: Tensor) -> None:
            self._begin(parameter)
            if self._scales is None:
                own_rates, own_shrink = rates, shrink
            else:
                scale = self._scales_here[parameter]
                own_rates = rates * (scale if cells is None else scale[cells])
                own_shrink = 1 - own_rates * decays
            along = [_along(values, parameter) for values in (own_rates, own_shrink)]
            for part in self._parts(parameter):
                at = _at(cells, part)
                # The gradient is of a run's cells, or of all.
                own = at if isinstance(cells, Tensor) else part
                count = self._counts[numbers[part.start]]
                vectors = (values[part] for values in along)
                self._move(parameter, gradient[own], at, count, *vectors)

        return step

    def _decays(self) -> Tensor:
        """Decay of each cell on the device."""
        if self._decays_here is None:
            self._decays_here = self.weight_decays.to(self._device)
        return self._decays_here

    def _parts(self, parameter: Tensor) -> list[slice]:
        """Cut the cells into parts to step at once.

        Cells of a part have taken as many steps. On a host a part fits the cache.
        """
        counts = self.steps if self.cells is None else self.steps[self.cells]
        cells = len(counts)
        most = cells
        if parameter.device.type == "cpu":
            most = max(1, _VALUES_AT_ONCE * len(parameter) // max(1, parameter.numel()))
        ends = (torch.nonzero(counts[1:] != counts[:-1]).flatten() + 1).tolist()
        runs = zip([0, *ends], [*ends, cells], strict=True)
        return [
            slice(start, min(start + most, end))
            for first, end in runs
            for start in range(first, end, most)
        ]

    def _move(
        self,
        parameter: Tensor,
        gradient: Tensor,
        at: slice | Tensor,
        count: Tensor,
        rate: Tensor,
        shrink: Tensor,
    ) -> None:
        """One step of one parameter of some cells."""
        state = self.state[parameter]
        moment, square = state["first"][at], state["second"][at]
        step = self._zeros(gradient)
        torch._fused_adamw_(
            [step],
            [gradient],
            [moment],
            [square],
            [],
            [count],
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=1.0,
            weight_decay=0.0,
            eps=_EPSILON,
            maximize=False,
        )
        moved = parameter[at]
        # Matrices are decayed, vectors are not.
        if parameter.ndim > 2:
            moved.mul_(shrink)
        moved.addcmul_(step, rate)
        if not isinstance(at, slice):  # what was taken by number is a copy
            state["first"][at], state["second"][at] = moment, square
            parameter[at] = moved

    def _zeros(self, like: Tensor) -> Tensor:
        """Zeros, in a host's memory that is kept: fresh pages are dear."""
        if like.is_cuda:
            return torch.zeros_like(like)
        if self._kept is None or self._kept.numel() < like.numel():
            self._kept = torch.empty(like.numel(), dtype=like.dtype, device=like.device)
        return self._kept[: like.numel()].zero_().view(like.shape)

    @torch.no_grad()
    def keep(self, cells: Tensor) -> None:
        """Drop the state of all other cells, after the module has.

        Args:
            cells: Cells to keep, int64 (cells,).
        """
        for name in ("learning_rates", "weight_decays", "factors", "steps"):
            setattr(self, name, getattr(self, name)[cells])
        self._counts, self._decays_here = self._counts[cells.to(self._device)], None
        if self._scales is not None:
            self._scales = {p: scale[cells] for p, scale in self._scales.items()}
            self._scales_here = self._on_device()
        for state in self.state.values():
            for name in ("first", "second"):
                state[name] = state[name][cells.to(self._device)]


def _at(cells: Cells, part: slice) -> slice | Tensor:
    """Part of some cells, as an index of all."""
    if cells is None:
        return part
    if isinstance(cells, slice):
        return slice(cells.start + part.start, cells.start + part.stop)
    return cells[part]


def _along(values: Tensor, parameter: Tensor) -> Tensor:
    """A value per cell, shaped to meet a stacked parameter."""
    return values.to(parameter).reshape(-1, *[1] * (parameter.ndim - 1))


@torch.no_grad()
def clip_gradients(module: StackedModule, norms: Tensor) -> None:
    """Clip each cell's gradient to its own norm, as clip_grad_norm_.

    Args:
        module: Stack after its backward pass.
        norms: Largest norm of each cell that has gradients, (cells,), on the stack's device; 0
            clips nothing.
    """
    gradients = [part.grad for part in module.parts if part.grad is not None]
    if not gradients:
        return
    squares = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients])
    allowed = torch.where(norms > 0, norms, torch.inf).to(squares)
    factors = (allowed / (torch.linalg.vector_norm(squares, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(_along(factors, gradient))
