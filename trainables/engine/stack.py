"""Many cells as one batched model: a stack of M modules of one shape, and its optimizer.

Every parameter and buffer gets a leading axis of length M, and `torch.func` runs the unmodified
module over it. Hyper-parameters that are no shape are buffers of the module (`gamma`, `beta`) or
vectors of the optimizer (learning rate, weight decay), so that cells of one stack may differ in
them. The losses of a stack are summed before the backward pass: gradients do not mix.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from trainables.engine.output import Output


class StackedModule(nn.Module):
    """M modules of one shape as one.

    Args:
        modules: Modules whose parameters and buffers agree in name, shape and type. Each takes
            (inputs, labels) and gives an Output.

    Raises:
        ValueError: without a module, or when their shapes differ.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        if not modules:
            raise ValueError("a stack needs at least 1 module, got none.")
        shapes = [{name: p.shape for name, p in _state(module)} for module in modules]
        if any(shape != shapes[0] for shape in shapes):
            odd = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            differ = sorted(set(shapes[0].items()) ^ set(shapes[odd].items()))
            raise ValueError(
                f"modules of a stack must have one shape; module {odd} differs from the first in "
                f"{sorted({name for name, _ in differ})}. Group cells by the space's shape axes."
            )
        parameters, buffers = stack_module_state(list(modules))
        self._names = list(parameters)
        self._buffer_names = list(buffers)
        self.stacked = nn.ParameterList(parameters.values())
        for number, buffer in enumerate(buffers.values()):
            self.register_buffer(f"buffer_{number}", buffer)
        self.cells = len(modules)
        # In a list, so that nn.Module does not count its weights; only its code is used.
        self._template = [copy.deepcopy(modules[0]).to("meta")]

    def train(self, mode: bool = True) -> StackedModule:
        """Switch dropout and the like of all cells."""
        super().train(mode)
        self._template[0].train(mode)
        return self

    def forward(self, inputs: Any, labels: Tensor, cells: Tensor | None = None) -> Output:
        """Losses and logits of some cells, each on its own batch.

        Args:
            inputs: What a module takes, each tensor with a leading axis of cells.
            labels: Class ids, (cells, batch).
            cells: Which cells these are, int64 (cells,); None for all M in order.

        Returns:
            Losses (cells,) and logits (cells, batch, classes).
        """
        parameters = self._taken(self._names, self.stacked, cells)
        buffers = self._taken(
            self._buffer_names,
            [getattr(self, f"buffer_{i}") for i in range(len(self._buffer_names))],
            cells,
        )

        def one(state: dict[str, Tensor], given: Any, classes: Tensor) -> Output:
            output: Output = functional_call(self._template[0], state, (given, classes))
            return output

        stacked: Output = torch.vmap(one, randomness="different")(
            {**parameters, **buffers}, inputs, labels
        )
        return stacked

    def state_of(self, cell: int) -> dict[str, Tensor]:
        """The parameters and buffers of one cell, as its own module names them."""
        buffers = [getattr(self, f"buffer_{i}") for i in range(len(self._buffer_names))]
        names = [*self._names, *self._buffer_names]
        stacked = [*self.stacked, *buffers]
        return {
            name: tensor[cell].detach().clone() for name, tensor in zip(names, stacked, strict=True)
        }

    @torch.no_grad()
    def keep(self, cells: Tensor) -> None:
        """Drop all cells but these, in place; the optimizer must be told, too.

        Args:
            cells: Which to keep, int64 (kept,).
        """
        for parameter in self.stacked:
            parameter.data = parameter.data[cells]
            parameter.grad = None
        for number in range(len(self._buffer_names)):
            setattr(self, f"buffer_{number}", getattr(self, f"buffer_{number}")[cells])
        self.cells = len(cells)

    @staticmethod
    def _taken(names: list[str], tensors: Any, cells: Tensor | None) -> dict[str, Tensor]:
        return {
            name: tensor if cells is None else tensor[cells]
            for name, tensor in zip(names, tensors, strict=True)
        }


def _state(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


class StackedAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2) with a learning rate and decay per cell.

    Each cell has a step count of its own: cells that sit out a step are not moved by it.

    Args:
        module: A stack; vectors of a cell (biases, normalisation) are not decayed.
        learning_rates: Peak rate of each cell, (cells,).
        weight_decays: Decay of each cell, (cells,).
        betas: Decay rates of the moments.
        epsilon: Added to the root of the second moment.
    """

    def __init__(
        self,
        module: StackedModule,
        learning_rates: Tensor,
        weight_decays: Tensor,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__([p for p in module.stacked if p.requires_grad], {})
        self.learning_rates, self.weight_decays = learning_rates, weight_decays
        self.betas, self.epsilon = betas, epsilon
        # What the schedule has made of each cell's rate, (cells,).
        self.factors = torch.ones_like(learning_rates)
        self.steps = torch.zeros_like(learning_rates)
        # Which cells the next step moves, int64; None for all.
        self.cells: Tensor | None = None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the cells of `cells` by their gradients."""
        cells = slice(None) if self.cells is None else self.cells
        self.steps[cells] += 1
        steps = self.steps[cells]
        rates = (self.learning_rates * self.factors)[cells]
        shrink = 1 - rates * self.weight_decays[cells]
        first, second = self.betas
        # m / (1 - b1^t) over sqrt(v / (1 - b2^t)) + eps, with the corrections taken out of the
        # tensors: two passes over the parameters less.
        root = (1 - second**steps).sqrt()
        sizes = -rates * root / (1 - first**steps)
        epsilons = self.epsilon * root
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["first"] = torch.zeros_like(parameter)
                    state["second"] = torch.zeros_like(parameter)
                gradient = parameter.grad[cells]
                moment, square = state["first"][cells], state["second"][cells]
                moment.lerp_(gradient, 1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                step = square.sqrt().add_(_along(epsilons, parameter))
                torch.div(moment, step, out=step)
                step.mul_(_along(sizes, parameter))
                moved = parameter[cells]
                if parameter.ndim > 2:
                    moved.mul_(_along(shrink, parameter))
                moved.add_(step)
                if self.cells is not None:  # what was taken by number is a copy
                    state["first"][cells], state["second"][cells] = moment, square
                    parameter[cells] = moved

    @torch.no_grad()
    def keep(self, cells: Tensor) -> None:
        """Drop the state of all cells but these, int64 (kept,)."""
        for name in ("learning_rates", "weight_decays", "factors", "steps"):
            setattr(self, name, getattr(self, name)[cells])
        for state in self.state.values():
            state["first"], state["second"] = state["first"][cells], state["second"][cells]


def _along(values: Tensor, parameter: Tensor) -> Tensor:
    """A value per cell, shaped to meet a stacked parameter."""
    return values.reshape(-1, *[1] * (parameter.ndim - 1)).to(parameter.dtype)


@torch.no_grad()
def clip_gradients(module: StackedModule, norms: Tensor) -> None:
    """Scale each cell's gradient down to its own largest norm, as clip_grad_norm_ does for one.

    Args:
        module: A stack after its backward pass.
        norms: Largest norm of each cell, (cells,); 0 clips nothing.
    """
    gradients = [p.grad for p in module.stacked if p.grad is not None]
    if not gradients or not bool((norms > 0).any()):
        return
    squares = torch.stack([g.flatten(1).square().sum(dim=1) for g in gradients]).sum(dim=0)
    allowed = torch.where(norms > 0, norms.to(squares.dtype), torch.inf)
    factors = (allowed / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(_along(factors, gradient))
