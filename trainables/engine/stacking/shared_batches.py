"""One copy of a batch for all cells that meet it.

All configs of one (seed, fold) have the same rows in the same order. Heads on frozen features do so
little with a batch that copying it for each of them would cost more than training them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.arrays import IntArray


class Placed(Protocol):
    """A cell, as far as its batches depend on it."""

    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def fold(self) -> int: ...  # noqa: D102
    @property
    def train(self) -> IntArray: ...  # noqa: D102
    @property
    def held_out(self) -> IntArray: ...  # noqa: D102


def blocks(cells: Sequence[Placed]) -> list[list[int]]:
    """Group the numbers of cells that agree in seed, fold and rows."""
    groups: dict[tuple[int, int, bytes, bytes], list[int]] = {}
    for number, cell in enumerate(cells):
        key = cell.seed, cell.fold, cell.train.tobytes(), cell.held_out.tobytes()
        groups.setdefault(key, []).append(number)
    return list(groups.values())


class _Linear(torch.autograd.Function):
    """A linear layer of many cells on one input, as one product.

    Only the rule for vmap is called; see `_Drop` in training/dropout.py.
    """

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(inputs, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("a layer of a stack was called outside of one; use nn.Linear there.")

    @staticmethod
    def vmap(
        info: Any, dims: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, int]:
        if dims[1] is None and dims[2] is None:  # one product of all cells' rows
            return functional.linear(inputs.movedim(dims[0], 0), weight, bias), 0
        if dims[1] is None:
            call = torch.vmap(functional.linear, in_dims=dims)
            result: Tensor = call(inputs, weight, bias)
            return result, 0
        if dims[0] is not None:
            if dims[0] != 0:  # else it stays the tensor that it is, which `_casts` knows again
                inputs = inputs.movedim(dims[0], 0)
            return _each(inputs, weight.movedim(dims[1], 0), bias, dims[2]), 0
        weights = weight.movedim(dims[1], 0).flatten(0, 1)
        biases = None if bias is None else bias.movedim(dims[2], 0).flatten()
        # This way round the gradient comes out as the weights lie, and need not be copied.
        outputs = weights @ inputs.mT
        if biases is not None:
            outputs = outputs + biases[:, None]
        return outputs.unflatten(-2, (info.batch_size, -1)).movedim(-1, -3), outputs.ndim - 1


def _each(inputs: Tensor, weight: Tensor, bias: Tensor | None, along: int | None) -> Tensor:
    """Run each cell's layer on its own input, (cells, ..., in).

    In one call: a second vmap for it cannot be compiled with lengths that vary.
    """
    kind = inputs.device.type
    if torch.is_autocast_enabled(kind):
        inputs = _casts.cast(inputs, torch.get_autocast_dtype(kind))
    rows = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    if bias is not None:
        bias = bias.expand(len(inputs), -1) if along is None else bias.movedim(along, 0)
    outputs: Tensor
    with torch.autocast(kind, enabled=False):
        outputs, _ = _OwnInputs.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
    return outputs.reshape(*inputs.shape[:-1], -1)


class _OwnInputs(torch.autograd.Function):
    """Products of each cell's rows with its weights, (cells, rows, out).

    Weights are rounded to the type of the rows here, and their gradients come out in the weights'
    own type and layout: torch's own backward pass would copy each of them twice.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        rounded = weight.to(rows.dtype).view_as(weight)
        if bias is None:
            return torch.bmm(rows, rounded.mT), rounded
        return torch.baddbmm(bias.to(rows.dtype)[:, None], rows, rounded.mT), rounded

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        rows, weight, bias = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(rows, output[1])
        ctx.weight_type, ctx.bias_type = weight.dtype, None if bias is None else bias.dtype

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> tuple[Tensor | None, ...]:
        gradient = upstream[0]
        if gradient is None:
            return None, None, None
        rows, rounded = ctx.saved_tensors
        by_rows, by_weight, by_bias = ctx.needs_input_grad
        return (
            torch.bmm(gradient, rounded) if by_rows else None,
            _product(gradient.mT, rows, ctx.weight_type) if by_weight else None,
            gradient.sum(dim=1, dtype=ctx.bias_type) if by_bias else None,
        )


def _product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """Batched product in another type.

    A GPU sums up in it and need not copy.
    """
    if left.is_cuda and left.dtype != dtype:
        return torch.bmm(left, right, out_dtype=dtype)
    return torch.bmm(left, right).to(dtype)


class _LastCast:
    """The last input that was rounded.

    Queries, keys and values are made of one.
    """

    def __init__(self) -> None:
        self._given: Callable[[], Tensor | None] = lambda: None
        self._made: Callable[[], Tensor | None] = lambda: None

    def cast(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the values in a type, maybe from the last call."""
        made = self._made()
        if self._given() is values and made is not None and made.dtype == dtype:
            return made
        made = values.to(dtype)
        self._given, self._made = weakref.ref(values), weakref.ref(made)
        return made


_casts = _LastCast()


class _SharedLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # torch's own name for it
        output: Tensor = _Linear.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias
        )
        return output


class _OwnScales(nn.LayerNorm):
    def forward(self, input: Tensor) -> Tensor:  # torch's own name for it
        # torch's kernel has one scale and shift for all cells; vmap would make two passes of them.
        standard = functional.layer_norm(input, self.normalized_shape, eps=self.eps)
        return torch.addcmul(self.bias, standard, self.weight)


def use_in_stack(module: nn.Module, common: Collection[str] = ()) -> None:
    """Let a module's linear layers and norms run for many cells.

    Args:
        module: Module of a cell.
        common: Names of the weights that all cells have in common.
    """
    for name, part in module.named_modules():
        if type(part) is nn.Linear:
            part.__class__ = _SharedLinear
        elif type(part) is nn.LayerNorm and part.bias is not None:
            part.__class__ = nn.LayerNorm if f"{name}.weight" in common else _OwnScales
