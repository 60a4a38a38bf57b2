"""Precision that a sweep's encoders are trained in where none is named.

A GPU multiplies in bfloat16 at fifteen times the rate of float32, so there it is the default for
configs that train an encoder. Heads on features gain nothing by it. The choice is part of the saved
spec and of every cell's key: a sweep that is resumed elsewhere keeps it, and cells of another
precision are other cells.
"""

from __future__ import annotations

from search.planning.plan import Plan
from search.spec.sweep_spec import Resources, SweepSpec
from spaces import Space
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning

_NAME = "precision"


def chosen(spec: SweepSpec, space: Space) -> SweepSpec:
    """Return the spec with a precision, unless it names one.

    Args:
        spec: Spec of a sweep that is new.
        space: The spec's space.
    """
    named = _NAME in spec.fix or _NAME in spec.set_axes or space.fixed.get(_NAME) != "fp32"
    tunes = issubclass(Trainable.load(space.trainable).Config, FineTuning)
    if named or not tunes or spec.configs not in ("all", "reference", "ablation"):
        return spec
    if not _on_gpus(spec.resources):
        return spec
    return spec.model_copy(update={"fix": {**spec.fix, _NAME: "bf16"}})


def note(plan: Plan) -> str | None:
    """Return a sentence on rounded products, else None."""
    if plan.space.fixed.get(_NAME) != "bf16":
        return None
    return (
        "Encoders are trained in bfloat16 on GPUs, weights and sums in float32; "
        "--fix precision=fp32 trains in float32 alone."
    )


def _on_gpus(resources: Resources) -> bool:
    """Tell if trials get GPUs, by request or by default."""
    if resources.gpus_per_trial is not None:
        return resources.gpus_per_trial > 0
    import torch

    return torch.cuda.is_available()
