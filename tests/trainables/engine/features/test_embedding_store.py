"""Rows kept on disk: damaged ones are made anew, whatever the damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainables.engine.features import embedding_store
from trainables.engine.progress import Ticker

ITEMS = list(range(50))
ROWS = np.array([[item, item**2, 0.5] for item in ITEMS], np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path))
    return tmp_path / "embeddings"


def read() -> tuple[np.ndarray, int]:
    """The rows as another process gets them, and how many it had to make."""
    made: list[int] = []

    def make(items: list[int]) -> np.ndarray:
        made.extend(items)
        return ROWS[items]

    embedding_store._checked.clear()
    rows, _ = embedding_store.filled({"kind": "test"}, ITEMS, make, 8, Ticker("x"))  # type: ignore[arg-type]
    return np.array(rows), len(made)


@pytest.mark.parametrize("suffix", [".bin", ".json"])
@pytest.mark.parametrize("damage", range(12))
def test_damaged_rows_never_come_back(folder: Path, suffix: str, damage: int) -> None:
    rng = np.random.default_rng([damage, len(suffix)])
    read()
    (file,) = folder.glob(f"*{suffix}")
    content = bytearray(file.read_bytes())
    if damage % 3 == 0:
        file.write_bytes(content[: int(rng.integers(len(content)))])
    else:
        for _ in range(damage):
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
    rows, _ = read()
    np.testing.assert_array_equal(rows, ROWS)
    assert read()[1] == 0, "what was made anew is kept"


def test_sound_rows_are_made_once() -> None:
    assert read()[1] == 50
    assert read()[1] == 0
