"""Cells of a stack as text."""

from __future__ import annotations

import hashlib
import json

from search.execution.stack_text import packed, unpacked
from trainables.engine.contract import Cell

CELLS = [
    Cell(
        key=hashlib.sha256(str(number).encode()).hexdigest(),
        config={"learning_rate": 1e-3 * number, "pooling": "Größe", "epochs": 3, "clip_norm": None},
        seed=number % 4,
        fold=number % 5,
    )
    for number in range(500)
]


def test_the_cells_are_the_same_again() -> None:
    assert unpacked(packed(CELLS)) == CELLS
    assert unpacked(packed([])) == []


def test_a_cell_takes_little_more_than_its_key() -> None:
    assert len(packed(CELLS)) < 75 * len(CELLS)
    assert len(json.dumps([vars(cell) for cell in CELLS])) > 150 * len(CELLS)
