"""Linear heads on features as one would write them: one after another."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from trainables.engine import seeding
from trainables.engine.cells import assembly
from trainables.engine.contract import Cell, Task
from trainables.engine.datasets.load import load_data


def looped(task: Task, cells: list[Cell], features: torch.Tensor) -> list[float]:
    """What one would write: a head, AdamW and a loop over batches; accuracy after each epoch."""
    data = load_data(task.data)
    labels = torch.as_tensor(data.labels, device=features.device)
    scores = []
    for cell in cells:
        config: dict[str, Any] = dict(cell.config)
        train, held_out = assembly.rows(task, data, cell)
        inputs, classes = features[train], labels[train]
        unseen, expected = features[held_out], labels[held_out]
        with seeding.drawing_from(cell.seed, "init"):
            head = nn.Linear(features.shape[1], len(data.label_names)).to(features.device)
        optimizer = torch.optim.AdamW(head.parameters(), lr=config["learning_rate"])
        size, epochs = config["batch_size"], config["epochs"]
        steps = epochs * -(-len(train) // size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for epoch in range(epochs):
            order = seeding.numpy_generator(cell.seed, "order", epoch).permutation(len(train))
            for batch in torch.as_tensor(order, device=features.device).split(size):
                loss = nn.functional.cross_entropy(head(inputs[batch]), classes[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            with torch.no_grad():
                score = (head(unseen).argmax(dim=1) == expected).double().mean()
        scores.append(float(score))
    return scores
