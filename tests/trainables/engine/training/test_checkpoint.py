"""A cell that is cut off goes on at its last epoch, to the same bits, whatever lies on the disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.training import checkpoint, loop

CONFIG = config("triple_entropy", beta=0.9, epochs=4, clip_norm=1.0)
CELL = Cell(key="a", config=CONFIG, seed=2, fold=0)


class Killed(BaseException):
    """A worker's death in the middle of a cell."""


class Epochs:
    """The numbers of the epochs that were trained, and when to be killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[int] = []
        self.killed_in: int | None = None
        epoch = loop.Training.epoch

        def counted(training: loop.Training, number: int, most_steps: int | None = None) -> float:
            if number == self.killed_in:
                raise Killed
            self.trained.append(number)
            return epoch(training, number, most_steps)

        monkeypatch.setattr(loop.Training, "epoch", counted)


@pytest.fixture(autouse=True)
def epochs(monkeypatch: pytest.MonkeyPatch) -> Epochs:
    torch.set_num_threads(1)
    monkeypatch.setattr(checkpoint, "LEAST_EPOCH_S", 0.0)
    return Epochs(monkeypatch)


@pytest.fixture(scope="module")
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("triple_entropy", tiny_encoder, reviews)


@pytest.fixture(scope="module")
def whole(task: Task) -> CellResult:
    torch.set_num_threads(1)
    return train(task)


@pytest.fixture
def cut(task: Task, epochs: Epochs, tmp_path: Path) -> Path:
    """The folder of a cell that was killed in its third epoch of four."""
    epochs.killed_in = 2
    with pytest.raises(Killed):
        train(task, tmp_path)
    assert epochs.trained == [0, 1]
    epochs.killed_in = None
    epochs.trained.clear()
    return tmp_path / CELL.key


def train(task: Task, checkpoints: Path | None = None) -> CellResult:
    results: list[CellResult] = []
    runner.train_cells(task, [CELL], results.append, checkpoints=checkpoints)
    return results[0]


def assert_equal(result: CellResult, whole: CellResult) -> None:
    assert (result.status, result.error) == ("done", None)
    np.testing.assert_array_equal(result.rows, whole.rows)
    np.testing.assert_array_equal(result.probabilities, whole.probabilities)

    def timeless(metrics: Any) -> dict[str, float]:
        return {k: v for k, v in metrics.items() if k not in ("seconds", "peak_memory_mib")}

    assert timeless(result.metrics) == timeless(whole.metrics)
    assert [*map(timeless, result.epochs)] == [*map(timeless, whole.epochs)]


def test_a_cell_that_was_cut_off_goes_on_at_its_last_epoch(
    task: Task, whole: CellResult, cut: Path, epochs: Epochs
) -> None:
    assert [path.name for path in cut.glob("epoch-*")] == ["epoch-2"], "only the last one is kept"
    result = train(task, cut.parent)
    assert epochs.trained == [2, 3]
    assert_equal(result, whole)
    assert not cut.exists(), "a cell that was reported needs it no more"


def test_a_cell_may_be_cut_off_again_and_again(
    task: Task, whole: CellResult, tmp_path: Path, epochs: Epochs
) -> None:
    for number in (1, 2, 3):
        epochs.killed_in = number
        with pytest.raises(Killed):
            train(task, tmp_path)
    epochs.killed_in = None
    assert_equal(train(task, tmp_path), whole)
    assert epochs.trained == [0, 1, 2, 3]


def _largest(cut: Path) -> Path:
    return max((path for path in cut.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)


def _flip(cut: Path) -> None:
    data = bytearray(_largest(cut).read_bytes())
    data[len(data) // 2] ^= 1
    _largest(cut).write_bytes(data)


def _shorten(cut: Path) -> None:
    _largest(cut).write_bytes(_largest(cut).read_bytes()[:100])


def _tear(cut: Path) -> None:
    (cut / "manifest.json").write_text((cut / "manifest.json").read_text()[:50])


def _other(cut: Path) -> None:
    manifest = json.loads((cut / "manifest.json").read_text())
    (cut / "manifest.json").write_text(json.dumps({**manifest, "torch": "1.0"}))


def _no_json(cut: Path) -> None:
    (cut / "manifest.json").write_bytes(b"\xff\x00")


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _shorten,
        _tear,
        _other,
        _no_json,
        lambda cut: _largest(cut).unlink(),
        lambda cut: (cut / "manifest.json").unlink(),
        lambda cut: shutil.rmtree(cut / "epoch-2"),
        lambda cut: (cut / "epoch-2" / "more").write_text("x"),
    ],
    ids=["flip", "shorten", "tear", "other", "no_json", "file", "manifest", "folder", "more"],
)
def test_a_damaged_checkpoint_is_as_good_as_none(
    task: Task, whole: CellResult, cut: Path, epochs: Epochs, damage: Callable[[Path], Any]
) -> None:
    damage(cut)
    assert_equal(train(task, cut.parent), whole)
    assert epochs.trained == [0, 1, 2, 3]


def test_a_sound_checkpoint_that_cannot_be_taken_in_changes_no_cell(
    task: Task, whole: CellResult, cut: Path, epochs: Epochs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(accelerator: Any, folder: str) -> None:
        with torch.no_grad():
            for parameter in accelerator._models[0].parameters():
                parameter.zero_()
        raise RuntimeError("a key is missing")

    monkeypatch.setattr(Accelerator, "load_state", half)
    assert_equal(train(task, cut.parent), whole)
    assert epochs.trained == [0, 1, 2, 3]
    assert not cut.exists()


def test_a_full_disk_costs_the_checkpoint_not_the_cell(
    task: Task, whole: CellResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(accelerator: Any, folder: str) -> None:
        raise OSError(28, "No space left on device", folder)

    monkeypatch.setattr(Accelerator, "save_state", full)
    assert_equal(train(task, tmp_path), whole)


def test_a_folder_that_cannot_be_written_costs_no_cell(
    task: Task, whole: CellResult, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert_equal(train(task, tmp_path / "file"), whole)


def test_short_epochs_are_not_saved(
    task: Task, tmp_path: Path, epochs: Epochs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LEAST_EPOCH_S", 30.0)
    epochs.killed_in = 3
    with pytest.raises(Killed):
        train(task, tmp_path)
    assert list(tmp_path.iterdir()) == []
