"""The fusion network stacked against one cell after another, and images a second of extraction."""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from throughput import THREADS, TURNS, in_turns, medians

from spaces.factify import SPACE
from trainables.engine import seeding
from trainables.engine.cells.trainable import Trainable
from trainables.engine.features.pair_layout import Layout
from trainables.engine.inputs.stack_inputs import FeatureInputs
from trainables.engine.models import efficientnet_lite, towers
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.trainer import StackTraining
from trainables.factify_fusion import Config, build

ROWS, CLASSES, CELLS, STEPS = 1500, 5, 20, 6
WIDTHS = {"clip": Layout(text=512, image=512), "minilm and lite0": Layout(text=384, image=320)}


def cells(layout: Layout, how_many: int) -> list[StackCell]:
    """Cells of the proposed model over 4 seeds x 5 folds, as a sweep deals them out."""
    proposed = SPACE.complete(SPACE.references["proposed"])
    config = cast(Config, Trainable.load("factify_fusion").bind(proposed))
    found = []
    for number in range(how_many):
        seed, fold = number // 5, number % 5
        with seeding.drawing_from(seed, "init"):
            module = build(config, layout, CLASSES)
        held_out = np.arange(fold, ROWS, 5)
        train = np.setdiff1d(np.arange(ROWS), held_out)
        found.append(StackCell(module, config, seed, train, held_out, ema_decay=config.ema_decay))
    return found


@pytest.mark.parametrize("name", WIDTHS)
def test_the_network_stacked_against_one_after_another(
    name: str, record: Callable[..., None]
) -> None:
    torch.set_num_threads(THREADS)
    layout, draw = WIDTHS[name], np.random.default_rng(0)
    values = torch.from_numpy(draw.normal(size=(ROWS, layout.total)).astype(np.float32))
    labels = draw.integers(CLASSES, size=ROWS)
    stacked = StackTraining(cells(layout, CELLS), FeatureInputs(values), labels)
    alone = StackTraining(cells(layout, 1), FeatureInputs(values), labels)
    stacked.epoch(0, most_steps=1)
    alone.epoch(0, most_steps=1)
    took = in_turns(
        {
            "stack": lambda: stacked.epoch(0, most_steps=STEPS),
            "alone": lambda: alone.epoch(0, most_steps=STEPS),
        },
        TURNS,
    )
    each = medians(took)
    step_ms = 1e3 * each["stack"] / STEPS / CELLS
    alone_ms = 1e3 * each["alone"] / STEPS
    steps = 50 * alone.steps_per_epoch
    record(
        f"fusion, {name}",
        f"the fusion network's cells in a stack of {CELLS} against one by one, training steps",
        alone_ms / step_ms,
        stack_ms_a_step_and_cell=step_ms,
        alone_ms_a_step=alone_ms,
        stacked_cells_a_minute=60e3 / (step_ms * steps),
        alone_cells_a_minute=60e3 / (alone_ms * steps),
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        threads=THREADS,
        seconds=took,
    )


def test_images_a_second(record: Callable[..., None], tmp_path: Path) -> None:
    """EfficientNet-Lite0 against a ViT-B/32 of CLIP's shape, weights drawn at random."""
    from transformers import CLIPConfig, CLIPModel

    torch.set_num_threads(THREADS)
    with torch.random.fork_rng():
        model = CLIPModel(CLIPConfig()).eval()
    lite = efficientnet_lite.EfficientNetLite0().eval()
    efficientnet_lite.save(tmp_path, lite.state_dict())
    preparation = towers.image_tower(str(tmp_path)).preparation
    both = {
        "clip": towers.ImageTower(model, preparation),
        "lite0": towers.ImageTower(lite, preparation),
    }
    pixels = torch.randint(0, 255, (16, 3, 224, 224), dtype=torch.uint8)
    with torch.inference_mode():
        took = in_turns({name: partial(tower, pixels) for name, tower in both.items()}, TURNS)
    each = medians(took)
    record(
        "images a second",
        "images a second through a tower of CLIP ViT-B/32's shape, and through EfficientNet-Lite0",
        16 / each["clip"],
        unit="/s",
        lite0=16 / each["lite0"],
        threads=THREADS,
        seconds=took,
    )
