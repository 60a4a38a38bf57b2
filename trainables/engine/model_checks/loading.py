"""Networks and tokenizers of a folder, loaded and checked."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.engine.errors import ModelError
from trainables.engine.model_checks import kinds
from trainables.engine.model_checks.files import read_object, weight_files
from trainables.engine.model_checks.foreign_errors import refused
from trainables.engine.model_checks.tokenizers import check_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(folder: Path, shown: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a folder.

    Args:
        folder: Folder whose files were checked.
        shown: Name of the model, for messages.

    Raises:
        ModelError: if there is none, or none that fits the model.
    """
    from transformers import AutoTokenizer

    config = kinds.read_config(folder, shown)
    _refuse_code(folder, shown)
    found = f"Model {shown} has a tokenizer that cannot be read"
    advice = "save the one that it was trained with (save_pretrained)."
    with refused(found, advice), kinds.quietly():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,  # else a folder with code of its own makes it ask
        )
    check_tokenizer(tokenizer, config, folder, shown)
    return tokenizer


def _refuse_code(folder: Path, shown: str) -> None:
    """Refuse a tokenizer that needs code: without it tokens are others."""
    file = folder / "tokenizer_config.json"
    if file.is_file() and "AutoTokenizer" in read_object(file, shown).get("auto_map", {}):
        raise ModelError(
            f"Model {shown} has a tokenizer that needs code of its own (auto_map in {file.name}), "
            "and code that comes with weights is never run. Give another model."
        )


def load_network(folder: Path, shown: str) -> tuple[PreTrainedModel, Collection[str]]:
    """Return a folder's network, and the weights that it lacks.

    Args:
        folder: Folder whose files were checked.
        shown: Name of the model, for messages.

    Raises:
        ModelError: if other weights than a pooler's are missing, or some are no numbers.
    """
    # A worker has no terminal to draw a bar on.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import torch
    from transformers import AutoModel
    from transformers.utils import logging as hf_logging

    from trainables.engine.model_checks import weights

    hf_logging.disable_progress_bar()
    config = kinds.read_config(folder, shown)
    for file in weight_files(folder, shown):
        if file.suffix == ".bin":
            weights.check_pickle(file, shown)
    model: PreTrainedModel
    found, advice = f"Model {shown} cannot be loaded", "fetch it anew, or give another."
    with refused(found, advice), kinds.quietly():  # a head is left out on purpose
        model, loaded = AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            weights_only=True,
            ignore_mismatched_sizes=True,  # `check_fit` names them
            output_loading_info=True,
        )
    weights.check_fit(model, loaded, shown)
    weights.check_numbers(model, shown)
    return model, loaded["missing_keys"]
