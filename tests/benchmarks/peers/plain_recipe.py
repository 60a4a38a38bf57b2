"""The recipe that researchers use today, for one cell.

transformers.Trainer with its defaults, AutoModel with a linear layer and pytorch-metric-learning's
SoftTripleLoss on all token embeddings of a batch, every batch padded to the longest text of the
set. Same rows, batch size, epochs and peak rate as ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_metric_learning.losses import SoftTripleLoss
from torch import Tensor, nn

from trainables.engine.cells import assembly
from trainables.engine.contract import Cell, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.models import pretrained


class Plain(nn.Module):
    """As it is written by hand: the loss sees every token of the padded batch."""

    def __init__(self, model: str, config: dict[str, Any], classes: int) -> None:
        from transformers import AutoModel

        super().__init__()
        self.encoder = AutoModel.from_pretrained(pretrained.locate(model))
        width = self.encoder.config.hidden_size
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(width, classes)
        self.beta = config["beta"]
        self.soft_triple = SoftTripleLoss(
            classes,
            width,
            centers_per_class=config["k"],
            la=config["scale"],
            gamma=config["gamma"],
            margin=config["margin"],
        )

    def forward(self, labels: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
        tokens = self.encoder(**inputs).last_hidden_state
        logits = self.classifier(self.dropout(tokens[:, 0]))
        loss = self.beta * nn.functional.cross_entropy(logits, labels)
        flat = tokens.reshape(-1, tokens.shape[-1])
        of_token = labels.repeat_interleave(tokens.shape[1])
        loss = loss + (1 - self.beta) * self.soft_triple(flat, of_token)
        return {"loss": loss, "logits": logits}


def plain_cell(task: Task, cell: Cell, folder: Path, precision: str = "fp32") -> float:
    """One cell the plain way; its accuracy after the last epoch."""
    from transformers import Trainer, TrainingArguments

    data = load_data(task.data)
    config: dict[str, Any] = dict(cell.config)
    train, held_out = assembly.rows(task, data, cell)
    tokenizer = pretrained.load_tokenizer(task.model)
    tokens = tokenizer(list(data.texts), padding="longest", truncation=True, max_length=512)

    def part(rows: np.ndarray) -> list[dict[str, Any]]:
        return [
            {**{name: value[row] for name, value in tokens.items()}, "labels": data.labels[row]}
            for row in rows
        ]

    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config["epochs"],
        per_device_train_batch_size=config["batch_size"],
        per_device_eval_batch_size=config["batch_size"],
        learning_rate=config["learning_rate"],
        warmup_steps=1,
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        remove_unused_columns=False,
        disable_tqdm=True,
        logging_strategy="no",
        seed=cell.seed,
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = Trainer(
        model=Plain(task.model, config, len(data.label_names)),
        args=arguments,
        train_dataset=part(train),
        eval_dataset=part(held_out),
        compute_metrics=lambda given: {
            "accuracy": float(np.mean(np.argmax(given.predictions, axis=1) == given.label_ids))
        },
    )
    trainer.train()
    last = [
        entry["eval_accuracy"] for entry in trainer.state.log_history if "eval_accuracy" in entry
    ]
    assert len(last) == config["epochs"]
    return float(last[-1])
