"""Configs, plans and stacks of the tests: each test then says only where its own differ."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from search.planning.plan import Plan
    from search.spec.sweep_spec import SweepSpec
    from trainables.engine.inputs.stack_inputs import Inputs
    from trainables.engine.stacking.cell import StackCell

_TRAINING: dict[str, Any] = {
    "learning_rate": 1e-2,
    "weight_decay": 0.01,
    "warmup_fraction": 0.06,
    "schedule": "linear",
    "batch_size": 16,
    "max_length": 16,
    "epochs": 1,
    "clip_norm": 0.0,
    "precision": "fp32",
}
_SOFT_TRIPLE: dict[str, Any] = {"k": 2, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.5}
_OWN: dict[str, dict[str, Any]] = {
    "linear_eval": {"representation": "encoder-mean", "word2vec": "", "glove": ""},
    "projection": {**_SOFT_TRIPLE, "width": 5, "representation": "encoder-mean"},
    "encoder_linear": {"trainable_blocks": None},
    "triple_entropy": {
        **_SOFT_TRIPLE,
        "merge_weight": 0.0,
        "pooling": "mean",
        "padding_tokens": False,
        "trainable_blocks": None,
    },
}


def config(trainable: str, **change: Any) -> dict[str, Any]:
    """Returns a small config of a trainable, changed where named."""
    return {**_TRAINING, **_OWN[trainable], **change}


def plan(space: str = "softtriple", **change: Any) -> Plan:
    """Returns a sweep's plan of made-up data: two seeds, two folds, SoftTriple's beta searched."""
    from search.spec.make_spec import make_spec
    from trainables.engine.contract import DataRef

    fields: dict[str, Any] = {
        "data": DataRef(name="reviews.csv"),
        "model": "m",
        "name": "mine",
        "seeds": (2, 16),
        "folds": 2,
        **change,
    }
    if space == "softtriple":
        one_value = {"k": (10,), "gamma": (0.1,), "scale": (3.3,), "margin": (0.3,)}
        fields["set_axes"] = {**one_value, **change.get("set_axes", {})}
    return plan_of(make_spec(space=space, **fields))


def plan_of(spec: SweepSpec) -> Plan:
    """Returns the plan of a spec whose data and model are not there."""
    from search.planning.saved_plan import rebuild
    from trainables.engine import registry
    from trainables.engine.contract import Task

    task = Task(
        trainable=registry.load("spaces", spec.space, "SPACE").trainable,
        version=3,
        data=spec.data,
        data_fingerprint=hashlib.sha256(spec.data.name.encode()).hexdigest(),
        model=spec.model,
        model_fingerprint="w" * 64,
        split=spec.split,
    )
    return rebuild(spec, task)


def stack_cell(
    module: nn.Module, settings: Any, seed: int, held_out: Sequence[int], rows: int
) -> StackCell:
    """Returns a cell that is trained on all rows but the held-out ones."""
    from trainables.engine.stacking.cell import StackCell

    held = np.array(held_out)
    return StackCell(module, settings, seed, np.setdiff1d(np.arange(rows), held), held)


def fits_of_stack(
    cells: list[StackCell], inputs: Inputs, labels: np.ndarray[Any, Any]
) -> list[Any]:
    """Returns the fit, or the divergence, of each cell of a stack."""
    from trainables.engine.stacking.fit_stack import fit_stack

    fits: dict[int, Any] = {}
    fit_stack(cells, inputs, labels, fits.__setitem__, lambda labels, _: [{} for _ in labels])
    return [fits[number] for number in range(len(cells))]
