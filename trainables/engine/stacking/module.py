"""Many cells as one batched model: a stack of equal modules.

Every parameter and buffer gets a leading axis of length M, and `torch.func` runs the unmodified
module over it. Hyper-parameters that are no shape are buffers of the module (`gamma`, `beta`) or
vectors of the optimizer (`optimizer.py`), so that cells of one stack may differ in them. The
losses of a stack are summed before the backward pass: gradients do not mix.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.engine.models import adapters
from trainables.engine.models.output import Output
from trainables.engine.stacking import attention, shared_batches
from trainables.engine.training import dropout, dropout_masks

Cells = Tensor | slice | None
"""Cells of a step: numbers, int64 (cells,); a run of them; or None for all M in order."""


class StackedModule(nn.Module):
    """M modules of one shape as one.

    Args:
        modules: Modules whose parameters and buffers agree in name, shape and type. Each maps
            (inputs, labels) to an Output. What modules share is stacked on the device.
        device: Device of the stack; None for that of the modules.
        reduced: Type that autocast computes linear layers in; None without autocast. Their weights
            that nobody trains are held in it, which halves them and changes no product.

    Raises:
        ValueError: without a module, or when their shapes differ.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        device: torch.device | None = None,
        reduced: torch.dtype | None = None,
    ) -> None:
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
        # Weights that nobody trains and all have in common are there once, under all their names.
        names = [dict(module.named_parameters(remove_duplicate=False)) for module in modules]
        self._common_names = [name for name in names[0] if _is_common(names, name)]
        linear = _linear_names(modules[0])
        for number, name in enumerate(self._common_names):
            dtype = reduced if name in linear else None
            common = names[0][name].detach().to(device, dtype)
            self.register_buffer(f"common_{number}", common, persistent=False)
        every = [dict(module.named_parameters()) for module in modules]
        self._names = [name for name in every[0] if name not in set(self._common_names)]
        self.stacked = nn.ParameterList(
            nn.Parameter(stacked([own[name] for own in every], device), _trained(every, name))
            for name in self._names
        )
        # Tensors that the next gradients are of: the parameters, or parts of them.
        self.parts: list[Tensor] = list(self.stacked)
        buffers = [dict(module.named_buffers()) for module in modules]
        self._buffer_names = list(buffers[0])
        for number, name in enumerate(self._buffer_names):
            self.register_buffer(
                f"buffer_{number}", stacked([own[name] for own in buffers], device)
            )
        self._padding = _padding_rows(modules[0])
        _leave_padding(self._padding, self._names, self.parts)
        self.cells = len(modules)
        # In a list, so that nn.Module does not count its weights; only its code is used.
        self._template = [_without_values(modules[0])]
        attention.use_in_stack(self._template[0])
        adapters.use_in_stack(self._template[0])
        shared_batches.use_in_stack(self._template[0], set(self._common_names))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters in `stacked`, as a cell's module has them."""
        return tuple(self._names)

    def train(self, mode: bool = True) -> StackedModule:
        """Switch all cells to training or evaluation."""
        super().train(mode)
        self._template[0].train(mode)
        return self

    def forward(
        self,
        inputs: Any,
        labels: Tensor,
        cells: Cells = None,
        step: dropout_masks.Step | None = None,
    ) -> Output:
        """Losses and logits of some cells, each on its own batch.

        Args:
            inputs: Inputs of a module, each tensor with a leading axis of cells; or of batches,
                where consecutive cells share each.
            labels: Class ids, (cells or batches, batch).
            cells: Cells to run. Those of a slice are run without a copy of their weights.
            step: Masks of dropout; None without dropout, or in evaluation.

        Returns:
            Losses (cells,) and logits (cells, batch, classes).
        """
        within = None if isinstance(cells, slice) else cells
        parameters = self._taken(self._names, self._parts_of(cells), within)
        buffers = self._taken(
            self._buffer_names,
            [getattr(self, f"buffer_{i}") for i in range(len(self._buffer_names))],
            cells,
        )

        common = self._common()

        def run_cell(
            state: dict[str, Tensor], batch: Any, classes: Tensor, marker: Tensor | None
        ) -> Output:
            with dropout.under_vmap(marker):
                whole = {**common, **state}
                output: Output = functional_call(self._template[0], whole, (batch, classes))
            return output

        state = {**parameters, **buffers}
        batches, count = len(labels), _count(cells, self.cells)
        # With keys, a module that draws at random by itself is an error.
        chance = "different" if step is None else "error"
        markers = None if step is None else step.markers(batches)
        along = None if markers is None else 0
        with dropout.drawing(step):
            if batches == count:
                run = torch.vmap(run_cell, in_dims=(0, 0, 0, along), randomness=chance)
                output: Output = run(state, inputs, labels, markers)
            else:
                run_batch = torch.vmap(run_cell, in_dims=(0, None, None, None), randomness=chance)
                apart = {name: each.unflatten(0, (batches, -1)) for name, each in state.items()}
                run = torch.vmap(run_batch, in_dims=(0, 0, 0, along), randomness=chance)
                nested: Output = run(apart, inputs, labels, markers)
                output = Output(loss=nested.loss.flatten(), logits=nested.logits.flatten(0, 1))
        self._put_back(buffers, cells)
        return output

    def _parts_of(self, cells: Cells) -> list[Tensor]:
        """Parameters to differentiate by.

        Of a slice it is its part, so that gradients are no larger.
        """
        self.parts = list(self.stacked)
        if isinstance(cells, slice):
            self.parts = [p.detach()[cells].requires_grad_(p.requires_grad) for p in self.stacked]
            _leave_padding(self._padding, self._names, self.parts)
        return self.parts

    @torch.no_grad()
    def refill(self, modules: Sequence[nn.Module]) -> None:
        """Take the weights of other modules of the same shape, in place."""
        of_names = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in modules]
        buffers = [getattr(self, f"buffer_{i}") for i in range(len(self._buffer_names))]
        names = [*self._names, *self._buffer_names]
        for name, tensor in zip(names, [*self.stacked, *buffers], strict=True):
            tensor.copy_(stacked([own[name] for own in of_names], tensor.device, copied=False))

    @torch.no_grad()
    def _put_back(self, buffers: dict[str, Tensor], cells: Cells) -> None:
        """Write back the buffers that a step of some cells moved.

        Those of a run are views.
        """
        if not isinstance(cells, Tensor) or not self.training:
            return
        for number, moved in enumerate(buffers.values()):
            getattr(self, f"buffer_{number}")[cells] = moved

    def state_of(self, cell: int) -> dict[str, Tensor]:
        """A cell's own parameters and buffers, by its module's names."""
        buffers = [getattr(self, f"buffer_{i}") for i in range(len(self._buffer_names))]
        names = [*self._names, *self._buffer_names]
        stacked = [*self.stacked, *buffers]
        return {
            name: tensor[cell].detach().clone() for name, tensor in zip(names, stacked, strict=True)
        }

    def _common(self) -> dict[str, Tensor]:
        """Weights that all cells have in common, by their modules' names."""
        return {name: getattr(self, f"common_{n}") for n, name in enumerate(self._common_names)}

    @torch.no_grad()
    def keep(self, cells: Tensor) -> None:
        """Drop all other cells, in place; the optimizer must drop them, too.

        Args:
            cells: Cells to keep, int64 (cells,).
        """
        for parameter in self.stacked:
            parameter.data = parameter.data[cells]
            parameter.grad = None
        self.parts = list(self.stacked)
        for number in range(len(self._buffer_names)):
            setattr(self, f"buffer_{number}", getattr(self, f"buffer_{number}")[cells])
        self.cells = len(cells)

    @staticmethod
    def _taken(names: list[str], tensors: Sequence[Tensor], cells: Cells) -> dict[str, Tensor]:
        return {
            name: tensor if cells is None else tensor[cells]
            for name, tensor in zip(names, tensors, strict=True)
        }


def span(cells: Tensor | None, device: torch.device) -> Cells:
    """Cells as the cheapest index of a stack on a device.

    Args:
        cells: Cells of a step, int64 (cells,), ascending, on the host; None for all.
        device: Device of the stack.
    """
    if cells is None:
        return None
    first, last = int(cells[0]), int(cells[-1])
    if last - first + 1 == len(cells):
        return slice(first, last + 1)
    return cells.to(device)


def _count(cells: Cells, of_all: int) -> int:
    if cells is None:
        return of_all
    return cells.stop - cells.start if isinstance(cells, slice) else len(cells)


@torch.no_grad()
def stacked(
    tensors: Sequence[Tensor], device: torch.device | None = None, copied: bool = True
) -> Tensor:
    """Stack tensors along a new first axis, on a device.

    One tensor that is there several times is copied to the device once.

    Args:
        tensors: Tensors of one shape.
        device: Device of the stack; None for the tensors' own.
        copied: False where the same memory may be every cell's.
    """
    first = tensors[0]
    if all(tensor is first for tensor in tensors):
        same = first.detach().to(device).expand(len(tensors), *first.shape)
        return same.clone() if copied else same
    return torch.stack([tensor.detach() for tensor in tensors]).to(device)


def _trained(every: Sequence[Mapping[str, Tensor]], name: str) -> bool:
    """Tell if a parameter is trained, in all modules alike."""
    trained = {own[name].requires_grad for own in every}
    if len(trained) > 1:
        raise ValueError(f"modules of a stack must agree in what they train; {name} differs.")
    return trained.pop()


def _is_common(every: Sequence[Mapping[str, Tensor]], name: str) -> bool:
    """Tell if a parameter is one tensor of all modules, never trained."""
    first = every[0][name]
    return not any(own[name].requires_grad or own[name] is not first for own in every)


def _linear_names(module: nn.Module) -> set[str]:
    """Names of the parameters of linear layers."""
    return {
        f"{name}.{own}"
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear)
        for own, _ in part.named_parameters(recurse=False)
    }


def _without_values(module: nn.Module) -> nn.Module:
    """Copy a module to the meta device, but never its weights."""
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors}).to("meta")


def _padding_rows(module: nn.Module) -> dict[str, int]:
    """Row of padding in each table of embeddings, by the table's name."""
    return {
        f"{name}.weight": part.padding_idx
        for name, part in module.named_modules()
        if isinstance(part, nn.Embedding) and part.padding_idx is not None
    }


def _leave_padding(
    rows: Mapping[str, int], names: Sequence[str], tensors: Sequence[Tensor]
) -> None:
    """Keep padding's embeddings out of training, which vmap forgets."""
    for name, tensor in zip(names, tensors, strict=True):
        if name in rows and tensor.requires_grad:
            tensor.register_post_accumulate_grad_hook(partial(_no_gradient, rows[name]))


def _no_gradient(row: int, weight: Tensor) -> None:
    if weight.grad is not None:
        weight.grad[:, row] = 0.0


def _state(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
