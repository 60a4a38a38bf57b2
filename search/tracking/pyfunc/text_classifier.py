"""Code of a registered model, which MLflow keeps with the weights.

Model from code, so that nothing is pickled. Needs mlflow, pandas, torch and transformers, for
adapters peft; nothing of foldrace.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import torch
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

_AT_ONCE = 32
_CODE = "modeling.py"
_ADAPTERS, _DETAILS = "adapter_config.json", "classifier.json"


def _loaded(folder: Path, own: bool) -> Any:
    """The classifier, with the model that it adapts if it does."""
    if (folder / _ADAPTERS).is_file():
        details = json.loads((folder / _DETAILS).read_text(encoding="utf-8"))
        _check_base(folder, details["base"])
        if not own:
            from peft import AutoPeftModelForSequenceClassification

            names = {int(number): name for number, name in details["id2label"].items()}
            return AutoPeftModelForSequenceClassification.from_pretrained(
                folder, id2label=names, trust_remote_code=False
            ).merge_and_unload()
    return AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, trust_remote_code=own
    )


def _check_base(folder: Path, base: dict[str, Any]) -> None:
    """Refuse a local model that is gone, or holds other weights."""
    place = json.loads((folder / _ADAPTERS).read_text(encoding="utf-8"))["base_model_name_or_path"]
    for name, digest in base["sha256"].items():
        file = Path(place) / name
        out = "foldrace promote --merge saves whole weights"
        if not file.is_file():
            raise FileNotFoundError(
                f"{folder} is an adapter of model {base['name']}, and {file} is not there: {out}."
            )
        with file.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
                raise ValueError(f"{file} holds other weights than were adapted: {out}.")


class TextClassifier(PythonModel):
    """Classifier of rows with `text`, and `text_b` for pairs.

    It gives `label`, `probability` and one `p_` a class.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load weights and tokenizer."""
        folder = context.artifacts["model"]
        # Own code, where the folder has some, is the modeling.py that foldrace wrote beside it.
        # Unsaid, transformers would ask, and on a terminal wait for an answer.
        own = (Path(folder) / _CODE).is_file()
        verbosity = logging.get_verbosity()
        logging.set_verbosity_error()  # of a head of our own it says that it does not know the kind
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self._model: Any = _loaded(Path(folder), own)
        finally:
            logging.set_verbosity(verbosity)
        self._model.eval()
        self._names = [name for _, name in sorted(self._model.config.id2label.items())]

    @torch.inference_mode()
    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Classify texts."""
        texts = [str(text) for text in model_input["text"]]
        pairs = "text_b" in model_input.columns
        second = [str(text) for text in model_input["text_b"]] if pairs else None
        batches = []
        for start in range(0, len(texts), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            tokens = self._tokenizer(
                texts[part],
                None if second is None else second[part],
                truncation=True,
                padding=True,
                return_tensors="pt",
            )
            batches.append(torch.softmax(self._model(**tokens).logits.float(), dim=-1))
        probabilities = torch.cat(batches) if batches else torch.zeros(0, len(self._names))
        best = probabilities.argmax(dim=-1).tolist()
        columns: dict[str, Any] = {
            "label": [self._names[number] for number in best],
            "probability": probabilities.double().max(dim=-1).values.tolist() if batches else [],
        }
        for number, name in enumerate(self._names):
            columns[f"p_{name}"] = probabilities[:, number].double().tolist()
        return pd.DataFrame(columns)


mlflow.models.set_model(TextClassifier())
