"""The Accelerator of one training."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState


def fresh_accelerator(precision: str, **options: Any) -> Accelerator:
    """An Accelerator of a precision, whatever this process trained before.

    Args:
        precision: "fp32", "bf16" or "fp16".
        options: Further arguments of Accelerator.
    """
    # The state is shared by the process, and accelerate refuses a second precision. It has no
    # public way to forget the first; a fresh process for each cell would take seconds.
    AcceleratorState._reset_state()
    if torch.cuda.is_available():
        # What mixed precision leaves in float32 may take the matrix units' 19 bits.
        torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    return Accelerator(mixed_precision={"fp32": "no"}.get(precision, precision), **options)
