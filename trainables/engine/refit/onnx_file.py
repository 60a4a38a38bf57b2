"""A saved model as an ONNX file, checked against the model."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trainables.engine.errors import InputError, OnnxError

TOLERANCE = 1e-4
"""Largest difference of a logit that the file may show."""
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


def check_installed() -> None:
    """Refuse to export without the packages that do it.

    Raises:
        InputError: naming those that are missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"--onnx needs {', '.join(missing)}, which are not installed: "
            "pip install 'foldrace[onnx]'."
        )


class _Logits(nn.Module):
    """A classifier as a function of tensors."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.model(**dict(zip(self.names, inputs, strict=True))).logits
        return logits


def export(folder: Path, file: Path, texts: Sequence[Any]) -> float:
    """Write a saved classifier as ONNX; returns the largest difference seen.

    Args:
        folder: Folder that `saved_model.save` has written.
        file: The .onnx to write.
        texts: Texts, or pairs of texts, to compare the file with the model on.

    Raises:
        OnnxError: if the model cannot be traced, or a logit differs by more than the tolerance.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    # The folder is this process's own work: its code may run.
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, trust_remote_code=True, attn_implementation="eager"
    ).eval()
    pairs = bool(texts) and not isinstance(texts[0], str)
    columns = list(zip(*texts, strict=True)) if pairs else [texts]
    encoded = tokenizer(
        *(list(column) for column in columns), truncation=True, padding=True, return_tensors="pt"
    )
    names = list(encoded)
    inputs = tuple(encoded[name] for name in names)
    axes = {name: {0: "rows", 1: "tokens"} for name in names}
    draft = file.with_name(f"{file.name}.draft")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            expected = _Logits(model, names)(*inputs).numpy()
            torch.onnx.export(
                _Logits(model, names),
                inputs,
                str(draft),
                input_names=names,
                output_names=["logits"],
                dynamic_axes={**axes, "logits": {0: "rows"}},
                dynamo=False,
                opset_version=18,
            )
            worst = _difference(draft, {n: encoded[n].numpy() for n in names}, expected)
        draft.replace(file)
    except OnnxError:
        raise
    except Exception as error:  # whatever the tracer finds in a model
        raise OnnxError(
            f"{type(model).__name__} cannot be written as ONNX: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else ''}"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return worst


def _difference(file: Path, inputs: dict[str, Any], expected: Any) -> float:
    """Largest difference of a logit, of all rows and of one.

    Raises:
        OnnxError: if it is above the tolerance.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    known = {put.name for put in session.get_inputs()}
    worst = 0.0
    for rows in (slice(None), slice(0, 1)):
        given = {name: values[rows] for name, values in inputs.items() if name in known}
        (found,) = session.run(["logits"], given)
        worst = max(worst, float(np.abs(found - expected[rows]).max()))
    if not worst <= TOLERANCE:
        raise OnnxError(
            f"The ONNX file differs from the model by {worst:.2g} in a logit, more than "
            f"{TOLERANCE:g}: it was not kept."
        )
    return worst
