"""No trainable's step in a stack makes a GPU wait: each can be recorded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.trainables.gpu_way import on_a_gpu
from tests.trainables.test_same_in_any_stack import (
    TRAINABLES,
    cells_of,
    config_of,
    of,
    trained,
    uneven,
)
from trainables.engine.contract import Task

__all__ = ["of", "on_a_gpu", "uneven"]


@pytest.mark.parametrize("trainable", TRAINABLES)
def test_no_step_of_a_stack_waits(
    trainable: str, of: Callable[[str], Task], on_a_gpu: list[str]
) -> None:
    config = config_of(trainable)
    if "frozen" in config:
        config["frozen"] = True  # else each cell trains alone
    cells = [cell for cell in cells_of(config) if cell.key.endswith("2 0")]
    found = trained(of(trainable), cells, stack=3)
    assert [(one.status, one.error) for one in found.values()] == [("done", None)] * 3
    assert set(on_a_gpu) == {"train", "score"}
