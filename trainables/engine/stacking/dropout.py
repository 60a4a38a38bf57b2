"""Dropout whose masks are a function of (seed, fold, epoch, row, layer), wherever cells train.

A mask is hashed, not drawn: each value of a layer's output has a number of its own, made of its
row's key and of its place in the row, so it does not matter who else is in the batch or in the
stack, how long the batch is padded, which process has the row, or what was drawn before. All
configs of a block meet the same masks; a stack makes them once a block.

The hash is two rounds of multiply and xorshift on 32 bits, 16 of them for each value, with 64 bits
of key for each row and layer: integer arithmetic, the same bits on a CPU and on a GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# A value of a mask has 16 bits to be compared with the share.
_VALUES = 65_536
# Calls of dropout in one forward pass whose keys are made at once: an encoder of 12 blocks has 38.
_CALLS_AT_ONCE = 64


def _signed(value: int) -> int:
    """An unsigned 32-bit constant as torch's int32 holds it."""
    return value - 2**32 if value >= 2**31 else value


# Odd constants: the multipliers of the hash, and what numbers calls and places along each axis.
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
    """The keys of one training step, and how many dropout calls its forward pass has made.

    Args:
        keys: Of each block, as `seeding.dropout_keys` has them, int32 (blocks, rows + 1, 2); None
            where nothing may be dropped: see `drops`.
        number: Of the step in its epoch: for what has no axis of rows.
        blocks: Block of each cell of the step, int64 (cells,); None where cells are one, or as many
            as blocks, or in as many equal runs as there are blocks.
    """

    def __init__(self, keys: Tensor | None, number: int, blocks: Tensor | None = None) -> None:
        self._keys, self._number, self._blocks = keys, number, blocks
        self.calls = 0
        self._of_calls: list[Tensor] = []

    def markers(self, batches: int) -> Tensor | None:
        """A number for each batch of a stack, (batches,): vmap goes over these."""
        return None if self._keys is None else self._keys.new_zeros(batches)

    def applied(self, values: Tensor, share: float, call: int, axes: int) -> Tensor:
        """Drop a share of the values, to the nearest 1 in 65,536, and scale up the others.

        Args:
            values: (..., rows, ...), with `axes` axes of blocks or cells before the rows.
            share: What is dropped.
            call: Number of the call within the forward pass.
            axes: 0 for one cell alone; 1 for cells, or for blocks; 2 for the cells of each block.
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
        """1 (or the scale, see `_times`) for what is kept and 0 for the rest, (blocks, *shape)."""
        keys = self._keys_of(call)
        # A batch may hold several items of each row, one after another: both texts of a pair.
        rows = keys.shape[1] - 1
        whole = len(shape) == 0 or shape[0] % rows != 0
        # Odd as the multipliers among them are: an even number is added.
        keys = keys[:, -1:] + 2 * self._number if whole else keys[:, :-1]
        inner = shape if whole else (shape[0] // rows, *shape[1:])
        along = inner or (1,)
        pairs = -(-along[-1] // 2)
        bits = _places(along[:-1], pairs, keys.device) + keys[..., :1]
        bits = _mixed(bits.mul_(keys[..., 1:])).view(torch.int16)
        bits = bits.view(*keys.shape[:2], *along[:-1], 2 * pairs)[..., : along[-1]]
        kept = bits.ge(_dropped(share) - _VALUES // 2).to(dtype)
        if dtype.itemsize > 2:
            kept.mul_(_scale(share))
        return kept.reshape(len(keys), *shape)

    def _keys_of(self, call: int) -> Tensor:
        """The rows' keys of one call, (blocks, rows + 1, 2)."""
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
            given = _mixed(self._keys + steps[:, None, None])
            given[..., 1].bitwise_or_(1)  # a multiplier must be odd
            self._of_calls.append(given)
        return self._of_calls[call // _CALLS_AT_ONCE][call % _CALLS_AT_ONCE]


@lru_cache(maxsize=16)  # those of a step; of long texts they are large
def _places(along: tuple[int, ...], pairs: int, device: torch.device) -> Tensor:
    """A number for each pair of values of a row, int32, flat.

    Made of constants by axis, not of positions: how long a batch is padded moves no number.
    """
    places = torch.arange(pairs, dtype=torch.int32, device=device) * _AXES[0]
    for axis, length in enumerate(reversed(along), start=1):
        steps = torch.arange(length, dtype=torch.int32, device=device) * _AXES[axis % len(_AXES)]
        places = steps.view(-1, *[1] * axis) + places
    return places.flatten()


def _dropped(share: float) -> int:
    return round(share * _VALUES)


def _scale(share: float) -> float:
    return _VALUES / (_VALUES - _dropped(share))


def _times(values: Tensor, mask: Tensor, share: float) -> Tensor:
    if values.dtype.itemsize > 2:
        return values * mask
    return values * mask * _scale(share)  # a scale of half precision would be off by a part in 700


class _Now:
    """The step whose forward pass is under way, if one is."""

    def __init__(self) -> None:
        self.step: Step | None = None
        # Whose batches a module under vmap is given; see `_Drop`.
        self.marker: Tensor | None = None


_now = _Now()
_torch_dropout = functional.dropout
_torch_attention = functional.scaled_dot_product_attention


class _Drop(torch.autograd.Function):
    """Dropout under vmap, where the cells of a block share a mask.

    A rule for vmap runs where autograd records what it does, so there is no backward to write. The
    cells of a block are an inner vmap, which has no marker: it hands on to the outer one.
    """

    @staticmethod
    def forward(values: Tensor, marker: Tensor, share: float, call: int, axes: int) -> Tensor:
        raise RuntimeError("dropout of a stack was called outside of one; use nn.Dropout there.")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("dropout of a stack was called outside of one; use nn.Dropout there.")

    @staticmethod
    def vmap(
        info: Any, dims: Any, values: Tensor, marker: Tensor, share: float, call: int, axes: int
    ) -> tuple[Tensor, int]:
        if dims[0] is None:
            values = values.expand(info.batch_size, *values.shape)
        else:
            values = values.movedim(dims[0], 0)
        if dims[1] is None:
            given: Tensor = _Drop.apply(  # type: ignore[no-untyped-call]
                values, marker, share, call, axes + 1
            )
            return given, 0
        if _now.step is None:
            raise RuntimeError("the step of a stack ended before its forward pass.")
        return _now.step.applied(values, share, call, axes + 1), 0


def _dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:  # torch's own names
    step = _now.step
    if step is None or not training:
        return _torch_dropout(input, p, training, inplace)
    # Counted where nothing is dropped, too: configs with and without agree in all other layers.
    call, step.calls = step.calls, step.calls + 1
    if not 0 < p < 1:
        return _torch_dropout(input, p, training, inplace)
    if _now.marker is None:
        return step.applied(input, p, call, 0)
    given: Tensor = _Drop.apply(input, _now.marker, p, call, 0)  # type: ignore[no-untyped-call]
    return given


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # torch's own names
    if _now.step is None or dropout_p == 0:
        given: Tensor = _torch_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
        return given
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    # torch's kernels draw their masks within; what is left is the formula.
    products = query * (query.shape[-1] ** -0.5 if scale is None else scale) @ key.mT
    if is_causal:
        attn_mask = torch.ones(products.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            products = products.masked_fill(~attn_mask, -torch.inf)
        else:
            products = products + attn_mask
    weights = torch.softmax(products, dim=-1).to(query.dtype)
    return _dropout(weights, dropout_p) @ value


@contextmanager
def drawing(step: Step | None) -> Iterator[None]:
    """Let all dropout inside, attention's as well, drop what a step's keys say.

    Modules and their classes stay as they are: what they call in torch is put in its place, so that
    a model that has no layer for its dropout is held to it, too.

    Args:
        step: Of the one forward pass inside; None leaves torch's own.
    """
    if step is None:
        yield
        return
    step.calls, _now.step = 0, step
    functional.dropout = _dropout
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.dropout = _torch_dropout
        functional.scaled_dot_product_attention = _torch_attention
        _now.step = None


@contextmanager
def under_vmap(marker: Tensor | None) -> Iterator[None]:
    """Within a function under vmap: its part of the step's markers."""
    _now.marker = marker
    try:
        yield
    finally:
        _now.marker = None


def drops(module: nn.Module) -> bool:
    """Whether a module may drop something in training: heads on features mostly do not."""
    return any(
        _is_pretrained(part) or (isinstance(part, nn.Dropout) and part.p > 0)
        for part in module.modules()
    )


def draws_itself(error: Exception) -> bool:
    """Whether a stack failed because a model draws at random what no key decides."""
    return isinstance(error, RuntimeError) and "randomness" in str(error)


def _is_pretrained(part: nn.Module) -> bool:
    """Whether it is a model of transformers, which takes seconds to import where nobody has one."""
    loaded = sys.modules.get("transformers.modeling_utils")
    return loaded is not None and isinstance(part, loaded.PreTrainedModel)
