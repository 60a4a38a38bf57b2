"""Hidden states of an encoder's frozen lower blocks, computed once.

`trainable_blocks = n` trains the top n blocks. The output of the block below them is the same for
all cells, so it is computed once per data set, model, maximum length, precision and n, and kept as
a memory-mapped file that all workers of the machine share. Frozen blocks drop nothing out.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.engine.arrays import IntArray
from trainables.engine.cache import cache_file, is_sound, make_once, memory_mapped, written_whole
from trainables.engine.inputs.ragged import Column, Ragged
from trainables.engine.inputs.tokens import Padding, Tokens, tokenised
from trainables.engine.models import frozen_blocks, pretrained
from trainables.engine.text_data import TextData

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_log = logging.getLogger("foldrace.prefix")

_ROWS_AT_ONCE = 64
# Part of every file's name: raise it when the same inputs give other hidden states.
_VERSION = 1
# Share of the free disk. A larger file is not written; its states are computed at every step.
_MOST_OF_DISK = 0.5
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
# numpy has no bfloat16: files hold the bits.
_BITS = {torch.float32: np.int32, torch.bfloat16: np.int16, torch.float16: np.int16}


class UncachedStates:
    """Hidden states computed at every step.

    Used where the file of states would not fit on disk; the interface is that of `Ragged`.

    Args:
        lower: Frozen part of the encoder, see `frozen_blocks.below`.
        inputs: Tokens of all rows.
        precision: "fp32", "bf16" or "fp16".
    """

    gathers = False  # an encoder runs at every step

    def __init__(self, lower: PreTrainedModel, inputs: Padding, precision: str) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._lower = lower.to(self._device).eval()  # type: ignore[arg-type]
        self._inputs = inputs.to(self._device)
        self._precision = precision

    def to(self, device: torch.device) -> UncachedStates:
        """Return itself: states are computed where there is a GPU."""
        return self

    def longest(self, rows: IntArray) -> int:
        """Return the number of tokens of the longest of some rows."""
        return self._inputs.longest(rows)

    @torch.no_grad()
    def shortest(self, rows: IntArray) -> int:
        """Return the number of tokens of the shortest of some rows."""
        return self._inputs.shortest(rows)

    def padded(self, rows: IntArray | Tensor, length: int | None = None) -> dict[str, Tensor]:
        """Return `inputs_embeds` and `attention_mask`, as `Ragged.padded`.

        The states are (..., batch, length, width).
        """
        inputs = self._inputs.padded(rows.reshape(-1, rows.shape[-1]), length)
        flat = {name: value.flatten(0, 1) for name, value in inputs.items()}
        kind = _AUTOCAST.get(self._precision)
        with torch.autocast(self._device.type, kind, enabled=kind is not None):
            hidden = self._lower(**flat).last_hidden_state
        hidden = hidden.masked_fill(~flat["attention_mask"].bool().unsqueeze(-1), 0.0)
        return {
            "inputs_embeds": hidden.reshape(*rows.shape, *hidden.shape[1:]),
            "attention_mask": flat["attention_mask"].reshape(*rows.shape, -1),
        }


@lru_cache(maxsize=4)
def tokens(data: TextData, model: str, max_length: int, precision: str, trained: int) -> Tokens:
    """Return a data set's rows as inputs of an encoder's top.

    Args:
        data: Texts.
        model: Reference of the encoder.
        max_length: Largest number of tokens a text.
        precision: Precision of the frozen blocks: "fp32", "bf16" or "fp16".
        trained: Number of blocks that are trained.
    """
    plain = tokenised(data, model, max_length)
    value = {
        "version": _VERSION,
        "data": data.fingerprint,
        "model": pretrained.model_fingerprint(model),
        "max_length": max_length,
        "precision": precision,
        "trained": trained,
    }
    states = UncachedStates(
        frozen_blocks.below(pretrained.load_encoder(model), trained, plain.vocabulary),
        plain.inputs,
        precision,
    )
    inputs = _cached(states, plain, cache_file("hidden", value, ".npy"))
    return Tokens(inputs, plain.vocabulary, plain.lengths, plain.labels)


def _cached(states: UncachedStates, plain: Tokens, path: Path) -> Ragged | UncachedStates:
    """Return the hidden states from their file.

    A file that is not there is written first; where it would not fit, the states stay uncached.
    """
    probe = states.padded(np.zeros((1, 1), np.int64))["inputs_embeds"]
    shape = (int(plain.lengths.sum()), probe.shape[-1])
    if not is_sound(path):
        needed = shape[0] * shape[1] * probe.element_size()
        free = shutil.disk_usage(path.parent).free
        if needed > _MOST_OF_DISK * free:
            _log.warning(
                "hidden states of %.1f GB are not kept: %s has %.1f GB free; they are computed at "
                "every step", needed / 1e9, path.parent, free / 1e9,
            )  # fmt: skip
            return states
    make_once(path, lambda: _write(path, states, plain, shape, probe.dtype))
    hidden = torch.from_numpy(memory_mapped(path)).view(probe.dtype)
    return Ragged({"inputs_embeds": Column(hidden, 0.0)}, plain.lengths)


def _write(
    path: Path,
    states: UncachedStates,
    plain: Tokens,
    shape: tuple[int, int],
    dtype: torch.dtype,
) -> None:
    starts = np.cumsum(plain.lengths) - plain.lengths
    with written_whole(path, sealed=True) as draft:
        file = np.lib.format.open_memmap(draft.name, "w+", np.dtype(_BITS[dtype]), shape)
        for rows in _by_length(plain):
            batch = states.padded(rows)["inputs_embeds"].cpu()
            for row, hidden in zip(rows, batch, strict=True):
                size = plain.lengths[row]
                file[starts[row] : starts[row] + size] = hidden[:size].view(_torch_bits(dtype))
        file.flush()


def _by_length(plain: Tokens) -> Iterator[IntArray]:
    order = np.argsort(plain.lengths, kind="stable")
    for start in range(0, len(order), _ROWS_AT_ONCE):
        yield order[start : start + _ROWS_AT_ONCE]


def _torch_bits(dtype: torch.dtype) -> torch.dtype:
    return torch.int32 if dtype == torch.float32 else torch.int16
