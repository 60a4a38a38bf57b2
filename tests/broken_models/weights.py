"""Faults of weights: misnamed, lacking, of another shape, not finite."""

from __future__ import annotations

from pathlib import Path

from tests.broken_models.changes import PART, breaks, changed, filled, renamed, save, tensors


@breaks("weights are called module.<name>")
def _(folder: Path) -> str:
    renamed(folder, "module.")
    return "would be drawn at random: .* called module.<name> in the file"


@breaks("weights are called model.bert.<name>")
def _(folder: Path) -> str:
    renamed(folder, "model.bert.")
    return "would be drawn at random: .* called model.bert.<name> in the file"


@breaks("weights are one unrelated tensor")
def _(folder: Path) -> str:
    import torch

    save(folder, {"x": torch.zeros(3)})
    return "would be drawn at random: it lacks 37 of its 37 weights"


@breaks("weights lack a layer")
def _(folder: Path) -> str:
    save(folder, {k: v for k, v in tensors(folder).items() if "layer.1." not in k})
    return "is not whole: it lacks 16 of its 37 weights"


@breaks("weights lack one tensor")
def _(folder: Path) -> str:
    save(folder, {k: v for k, v in tensors(folder).items() if k != PART})
    return f"is not whole: it lacks 1 of its 37 weights .{PART}"


@breaks("weights have a layer more")
def _(folder: Path) -> str:
    changed(folder, num_hidden_layers=1)
    return "has 16 weights more than its config.json has room for"


@breaks("weights are of another width")
def _(folder: Path) -> str:
    changed(folder, hidden_size=48)
    return "weights of model .* have another shape than its config.json says"


@breaks("weights are of another type")
def _(folder: Path) -> str:
    changed(folder, model_type="distilbert")
    return "would be drawn at random|is not whole"


@breaks("a weight is NaN")
def _(folder: Path) -> str:
    filled(folder, float("nan"))
    return f"has NaN, infinite or absurdly large numbers in 1 weight .{PART}"


@breaks("a weight is infinite")
def _(folder: Path) -> str:
    filled(folder, float("-inf"))
    return "has NaN, infinite or absurdly large numbers"


@breaks("a weight has a flipped bit")
def _(folder: Path) -> str:
    state = tensors(folder)
    state[PART][0, 0] = 3e37
    save(folder, state)
    return "has NaN, infinite or absurdly large numbers"


@breaks("a weight is all zeros")
def _(folder: Path) -> str:
    filled(folder, 0.0)
    return "has nothing but zeros in 1 weight"
