"""Dropout masks that are a function of (seed, fold, epoch, row, layer).

A mask is hashed, not drawn: each value of a layer's output has a number of its own, made of its
row's key and of its place in the row. So a mask depends neither on the other rows of the batch or
cells of the stack, nor on the padding, the process or earlier draws. All configs of a block meet
the same masks; a stack makes them once a block.

The hash is two rounds of multiply and xorshift on 32 bits, 16 of them for each value, with 64 bits
of key for each row and layer: integer arithmetic, the same bits on a CPU and on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

# Each value of a mask compares 16 bits with the share.
_VALUES = 65_536
# Calls of dropout in one forward pass whose keys are made at once: an encoder of 12 blocks has 38.
_CALLS_AT_ONCE = 64


def _signed(value: int) -> int:
    """An unsigned 32-bit constant as torch's int32 holds it."""
    return value - 2**32 if value >= 2**31 else value


# Odd constants: multipliers of the hash, and steps of calls and of places along each axis.
_MULTIPLIERS = tuple(map(_signed, (0x7FEB352D, 0x846CA68B)))
_CALL = tuple(map(_signed, (0x9E3779B1, 0x85EBCA77)))
_AXES = tuple(map(_signed, (0xC2B2AE3D, 0x27D4EB2F, 0x165667B1, 0xD3A2646D, 0xFD7046C5)))


def _mixed(values: Tensor) -> Tensor:
    """Hash int32 values in place."""
    # Shifts of a signed integer copy its sign; the masks make them logical.
    values.bitwise_xor_((values >> 15).bitwise_and_(0x1FFFF)).mul_(_MULTIPLIERS[0])
    values.bitwise_xor_((values >> 13).bitwise_and_(0x7FFFF)).mul_(_MULTIPLIERS[1])
    return values.bitwise_xor_((values >> 16).bitwise_and_(0xFFFF))


class Step:
    """Keys of one training step, and a count of its dropout calls.

    Args:
        keys: Keys of each block, from `seeding.dropout_keys`, int32 (blocks, rows + 1, 2); None
            where nothing may be dropped: see `dropout.drops`.
        number: Number of the step in its epoch, for values without an axis of rows; in a recorded
            step a tensor on the device, int32 ().
        blocks: Block of each cell of the step, int64 (cells,); None where cells are one, or as many
            as blocks, or in as many equal runs as there are blocks.
    """

    def __init__(
        self, keys: Tensor | None, number: int | Tensor, blocks: Tensor | None = None
    ) -> None:
        self._keys, self._number, self._blocks = keys, number, blocks
        self.calls = 0
        self._of_calls: list[Tensor] = []

    def markers(self, batches: int) -> Tensor | None:
        """Zeros to run vmap over, (batches,); None without keys."""
        return None if self._keys is None else self._keys.new_zeros(batches)

    def applied(self, values: Tensor, share: float, call: int, axes: int) -> Tensor:
        """Drop a share of the values and scale up the others.

        Args:
            values: Values (..., rows, ...), with `axes` axes of blocks or cells before the rows.
            share: Share to drop, to the nearest 1 in 65,536.
            call: Number of the call within the forward pass.
            axes: Number of these axes: 0 for one cell alone; 1 for cells, or for blocks; 2 for the
                cells of each block.
        """
        mask = self._mask(values.shape[axes:], share, call, values.dtype)
        if axes == 0:
            return _times(values, mask[0], share)
        if axes == 2:
            return _times(values, mask[:, None], share)
        cells, blocks = len(values), len(mask)
        if self._blocks is not None:
            return _times(values, mask[self._blocks], share)
        if blocks in (1, cells):
            return _times(values, mask, share)
        apart = values.unflatten(0, (blocks, -1))
        return _times(apart, mask[:, None], share).flatten(0, 1)

    def _mask(self, shape: torch.Size, share: float, call: int, dtype: torch.dtype) -> Tensor:
        """Mask of one call, (blocks, *shape): 0 where dropped, else a scale.

        On a GPU it is bool.
        """
        keys = self._keys_of(call)
        # A batch may hold several items of each row, one after another: both texts of a pair.
        rows = keys.shape[1] - 1
        whole = len(shape) == 0 or shape[0] % rows != 0
        # Odd as the multipliers among them are: an even number is added.
        keys = keys[:, -1:] + 2 * self._number if whole else keys[:, :-1]
        inner = shape if whole else (shape[0] // rows, *shape[1:])
        along = inner or (1,)
        pairs = -(-along[-1] // 2)
        bits = _bits(_places(along[:-1], pairs, keys.device), keys).view(torch.int16)
        bits = bits.view(*keys.shape[:2], *along[:-1], 2 * pairs)[..., : along[-1]]
        mask = bits.ge(_dropped(share) - _VALUES // 2)
        if mask.is_cuda:  # `_times` reads bits there
            return mask.reshape(len(keys), *shape)
        mask = mask.to(dtype)
        if dtype.itemsize > 2:  # else `_times` scales
            mask.mul_(_scale(share))
        return mask.reshape(len(keys), *shape)

    def _keys_of(self, call: int) -> Tensor:
        """Keys of the rows in one call, (blocks, rows + 1, 2)."""
        if self._keys is None:
            raise RuntimeError(
                "a module of a stack calls dropout and has no layer for it; give it an nn.Dropout, "
                "so that it is known before."
            )
        while call // _CALLS_AT_ONCE >= len(self._of_calls):
            first = len(self._of_calls) * _CALLS_AT_ONCE
            numbers = torch.arange(
                first + 1, first + 1 + _CALLS_AT_ONCE, dtype=torch.int32, device=self._keys.device
            )
            steps = torch.stack([numbers * _CALL[0], numbers * _CALL[1]], dim=-1)
            keys = _mixed(self._keys + steps[:, None, None])
            keys[..., 1].bitwise_or_(1)  # a multiplier must be odd
            self._of_calls.append(keys)
        return self._of_calls[call // _CALLS_AT_ONCE][call % _CALLS_AT_ONCE]


def _bits(places: Tensor, keys: Tensor) -> Tensor:
    """Hash places of pairs of values with each row's keys.

    The bits are int32 (blocks, rows, pairs).
    """
    if keys.is_cuda and (kernel := _kernel()) is not None:
        hashed: Tensor = kernel(places, keys[..., :1], keys[..., 1:])
        return hashed
    return _mixed((places + keys[..., :1]).mul_(keys[..., 1:]))


# `_bits` in one pass over memory where the operations above take a dozen.
_ONE_PASS = """
template <typename T> T foldrace_bits(T place, T key, T factor) {
    unsigned int x = ((unsigned int) place + (unsigned int) key) * (unsigned int) factor;
    x = (x ^ (x >> 15)) * 0x7FEB352Du;
    x = (x ^ (x >> 13)) * 0x846CA68Bu;
    return (T) (int) (x ^ (x >> 16));
}
"""


@lru_cache(maxsize=1)
def _kernel() -> Callable[..., Tensor] | None:
    """Return the hash as a kernel; None where it cannot be compiled."""
    try:
        kernel: Callable[..., Tensor] = torch.cuda.jiterator._create_jit_fn(_ONE_PASS)
        ones = torch.ones(1, dtype=torch.int32, device="cuda")
        expected = _mixed((ones + ones).mul_(ones))
        return kernel if bool((kernel(ones, ones, ones) == expected).all()) else None
    except Exception:  # another torch: the plain way is right, too
        return None


def _places(along: tuple[int, ...], pairs: int, device: torch.device) -> Tensor:
    """Number of each pair of values of a row, int32, flat.

    Made of constants by axis, not of positions: padding a batch moves no number. On a GPU they are
    made anew: a recorded step must not refer to memory that a cache may free.
    """
    made = _made_places if device.type == "cuda" else _kept_places
    return made(along, pairs, device)


def _made_places(along: tuple[int, ...], pairs: int, device: torch.device) -> Tensor:
    places = torch.arange(pairs, dtype=torch.int32, device=device) * _AXES[0]
    for axis, length in enumerate(reversed(along), start=1):
        steps = torch.arange(length, dtype=torch.int32, device=device) * _AXES[axis % len(_AXES)]
        places = steps.view(-1, *[1] * axis) + places
    return places.flatten()


_kept_places = lru_cache(maxsize=16)(_made_places)  # enough for a step; long texts' are large


def _dropped(share: float) -> int:
    return round(share * _VALUES)


def _scale(share: float) -> float:
    return _VALUES / (_VALUES - _dropped(share))


class _Masked(torch.autograd.Function):
    """Values times a bool mask times a scale, in one pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        masked: Tensor = torch.ops.aten.native_dropout_backward(values, mask, scale)
        return masked

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return torch.ops.aten.native_dropout_backward(gradients[0], mask, ctx.scale), None, None


def _times(values: Tensor, mask: Tensor, share: float) -> Tensor:
    if mask.dtype == torch.bool:
        masked: Tensor = _Masked.apply(  # type: ignore[no-untyped-call]
            values, mask, _scale(share)
        )
        return masked
    if values.dtype.itemsize > 2:
        return values * mask
    return values * mask * _scale(share)  # a scale of half precision would be off by a part in 700
