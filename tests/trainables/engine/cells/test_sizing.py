"""The size of a stack: the fastest of what fits, and half of it where memory runs out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from tests.factories import config
from trainables.engine.cells.sizing import Size, Sizer, cell_bytes, free_bytes, take_share

OUT_OF_MEMORY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.fixture
def sizer() -> Sizer:
    return Sizer()


def picked(sizer: Sizer, times: dict[int, float], fits: int = 256) -> Size:
    return sizer.pick("key", times.__getitem__, lambda: fits)


def test_the_fastest_size_wins_and_the_probe_ends_after_two_in_vain(sizer: Sizer) -> None:
    found = picked(sizer, {1: 10.0, 2: 7.0, 4: 4.0, 8: 3.9, 16: 4.5})
    assert found.cells == 4
    assert list(found.seconds) == [1, 2, 4, 8, 16]


def test_a_loss_at_two_may_be_made_up_for_at_four(sizer: Sizer) -> None:
    assert picked(sizer, {1: 10.0, 2: 11.0, 4: 6.0, 8: 7.0, 16: 7.0}).cells == 4


def test_no_gain_means_alone(sizer: Sizer) -> None:
    assert picked(sizer, {1: 10.0, 2: 9.8, 4: 9.9}).cells == 1


def test_a_probe_waits_until_it_is_a_small_part_of_the_training(sizer: Sizer) -> None:
    assert not sizer.is_due("key", 250)
    assert not sizer.is_due("other", 250)
    assert sizer.is_due("key", 50)


def test_what_does_not_fit_is_not_tried(sizer: Sizer) -> None:
    assert list(picked(sizer, {1: 10.0, 2: 5.0}, fits=3).seconds) == [1, 2]
    assert picked(sizer, {}, fits=0).cells == 2  # found before, not probed again


def test_memory_that_runs_out_in_the_probe_ends_it_and_is_remembered(sizer: Sizer) -> None:
    def seconds(cells: int) -> float:
        if cells > 4:
            raise RuntimeError(OUT_OF_MEMORY)
        return 1.0 / cells

    assert sizer.pick("a", seconds, lambda: 256).cells == 4
    assert sizer.pick("b", lambda cells: 1.0 / cells, lambda: 256).cells == 4


def test_another_error_is_no_matter_of_size(sizer: Sizer) -> None:
    def seconds(cells: int) -> float:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        sizer.pick("a", seconds, lambda: 256)


def test_the_memory_of_a_cell_is_its_weights_and_what_backward_needs() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(100, 300), torch.nn.Tanh())
    inputs = torch.randn(50, 100)
    found = cell_bytes(module, lambda: module(inputs).sum())
    weights = 4 * (100 * 300 + 300)
    kept = 4 * (50 * 100 + 50 * 300)  # the linear layer's input, tanh's output
    assert found == 4 * weights + int(1.5 * kept)
    module.requires_grad_(False)[0].bias.requires_grad_(True)
    kept = 4 * 50 * 300  # nothing but the output is needed for the bias
    assert cell_bytes(module, lambda: module(inputs).sum()) == 4 * 4 * 300 + int(1.5 * kept)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A card of 80 GiB, of which others have 10 and this process 8, 2 of them idle."""
    card = {"share": 1.0}
    of = {
        "is_available": lambda: True,
        "mem_get_info": lambda: (62 * 2**30, 80 * 2**30),
        "memory_reserved": lambda: 8 * 2**30,
        "memory_allocated": lambda: 6 * 2**30,
        "get_per_process_memory_fraction": lambda: card["share"],
        "set_per_process_memory_fraction": lambda share: card.update(share=share),
    }
    for name, answer in of.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    return card


@pytest.mark.parametrize(("gpus", "gib"), [(1.0, 62), (2.0, 62), (0.5, 32), (0.1, 0), (0.0, 62)])
def test_trials_that_share_a_gpu_share_its_memory(
    gpu: dict[str, float], gpus: float, gib: int
) -> None:
    take_share(gpus)
    assert free_bytes() == int(0.7 * (gib + 2) * 2**30)


LIMITED = """
import resource, sys
sys.path[:0] = {path!r}
import json, torch
from pathlib import Path
from trainables.engine.cells import runner
from trainables.engine.cells.sizing import Sizer
from trainables.engine.contract import Cell, Task
torch.set_num_threads(1)
task = Task.from_json(json.loads({task!r}))
cells = [Cell(key=str(seed), config={config!r}, seed=seed, fold=0) for seed in range(16)]
runner.train_cells(task, cells[:1], lambda result: None)  # all that is loaded once
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {room}, resource.RLIM_INFINITY))
results = []
sizer = Sizer()
best = runner.train_cells(task, cells, results.append, stack=16, sizer=sizer)
print(json.dumps({{
    "best": best, "most": sizer.most,
    "status": {{result.key: (result.status, result.error) for result in results}},
}}))
"""


def test_a_stack_that_runs_out_of_memory_is_halved_and_every_cell_is_trained(
    limited_task: str, limited_config: dict[str, object]
) -> None:
    import json

    # Room for the proxies of a few cells, not of sixteen.
    script = LIMITED.format(
        path=sys.path, task=limited_task, config=limited_config, room=300 * 2**20
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        # What is freed goes back to the system, so that only what is in use counts.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["status"] == {str(seed): ["done", None] for seed in range(16)}
    assert document["best"] < 16
    assert document["most"] == document["best"]


@pytest.fixture
def limited_config() -> dict[str, object]:
    # 2 classes x 30,000 proxies of 32: 8 MB, and as much for each copy that training needs.
    return config(
        "triple_entropy", k=30_000, learning_rate=1e-3, warmup_fraction=0.0, batch_size=40
    )


@pytest.fixture
def limited_task(reviews, tiny_encoder) -> str:
    import json

    from tests.trainables.tasks import task_of_reviews

    task = task_of_reviews("triple_entropy", tiny_encoder, reviews)
    return json.dumps(task.to_json())
