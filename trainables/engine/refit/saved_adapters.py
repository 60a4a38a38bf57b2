"""Saves a network's adapters as a folder of peft.

The folder has the head and the tokenizer, not the encoder that the adapters stand on. As in
`saved_model` there are two ways to load it.

*Stock.* `AutoPeftModelForSequenceClassification`: transformers' own class with the adapters in its
encoder, its head kept by peft (`modules_to_save`). Class names are in classifier.json.

*Own code.* The adapters are of the encoder alone, so `AutoPeftModelForFeatureExtraction` loads
that. The head is a file beside them, and `modeling.py` puts both together.

In both the encoder is where adapter_config.json says: a repository of the hub at one revision, or
a folder of this machine.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from trainables.engine.model_checks import files
from trainables.engine.models import pretrained
from trainables.engine.refit import saved_model

if TYPE_CHECKING:
    from peft import PeftModel

    from trainables.engine.models.adapters import Learnt
    from trainables.engine.refit.network import FinalNetwork

ADAPTERS, DETAILS = "adapter_config.json", "classifier.json"
# Layers of the head, by the encoder's kind.
_HEADS = {
    "bert": ["pooler", "classifier"],
    "roberta": ["classifier"],
    "electra": ["classifier"],
    "distilbert": ["pre_classifier", "classifier"],
}
_SNAPSHOT = re.compile(r"[0-9a-f]{40}\Z")


@dataclass(frozen=True)
class Base:
    """Model that adapters stand on.

    Attributes:
        name: Name to show: its hub id, alias, or its folder's name.
        place: Its hub id, or its folder.
        revision: Commit of the hub; None for a folder.
        digests: SHA-256 of a folder's files of weights, by name; none for a model of the hub.
    """

    name: str
    place: str
    revision: str | None
    digests: dict[str, str]

    @property
    def on_hub(self) -> bool:
        """True for a model that is fetched wherever the adapters are loaded."""
        return not self.digests


def base_of(model: str) -> Base:
    """Describe the model of a reference, as adapters name it.

    Args:
        model: Reference of an encoder.

    Raises:
        ModelError: if it is not there.
    """
    folder, name, hub_id = pretrained.locate(model), pretrained.shown(model), None
    if not Path(model).is_dir():
        hub_id = pretrained.hub_id(model)
    if hub_id is not None:
        revision = folder.name if _SNAPSHOT.match(folder.name) else None
        return Base(name, hub_id, revision, {})
    weights = files.weight_files(folder, repr(model))
    return Base(name, str(folder), None, {file.name: _digest(file) for file in weights})


def save(network: FinalNetwork, folder: Path) -> Base:
    """Write a network's adapters, head and tokenizer.

    Args:
        network: Network that was trained with adapters.
        folder: Folder to write, made if need be; a model in it is replaced.

    Returns:
        The model that the adapters stand on.

    Raises:
        ValueError: if the network has no adapters.
    """
    if network.adapters is None:
        raise ValueError("the network has no adapters to save.")
    saved_model.cleared(folder)
    base = base_of(network.adapters.model)
    names = dict(enumerate(network.label_names))
    if saved_model.is_stock(network):
        wrapped = _stock(network, network.adapters)
    else:
        original = copy.deepcopy(pretrained.load_encoder(network.adapters.model))
        wrapped = network.adapters.put_on(original, task_type="FEATURE_EXTRACTION")
        saved_model.save_head(network, folder)
    settings: Any = wrapped.peft_config["default"]
    settings.base_model_name_or_path, settings.revision = base.place, base.revision
    wrapped.save_pretrained(str(folder), save_embedding_layers=False)
    details = {"id2label": names, "base": {"name": base.name, "sha256": base.digests}}
    written = json.dumps(details, indent=2, ensure_ascii=False)
    (folder / DETAILS).write_text(f"{written}\n", encoding="utf-8")
    saved_model.save_tokenizer(network, folder)
    return base


@contextmanager
def to_share(folder: Path, base: Base | None) -> Iterator[Path]:
    """Folder to be sent elsewhere: it names no place of this machine.

    Args:
        folder: Folder of a model.
        base: Model that its adapters stand on; None where it has whole weights.
    """
    if base is None or base.on_hub:
        yield folder
        return
    with TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        settings = json.loads((copied / ADAPTERS).read_text(encoding="utf-8"))
        settings["base_model_name_or_path"] = base.name
        (copied / ADAPTERS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        yield copied


def _stock(network: FinalNetwork, learnt: Learnt) -> PeftModel:
    """Own class of transformers on the untrained encoder, with adapters and head."""
    original = pretrained.load_encoder(learnt.model)
    model = saved_model.stock(replace(network, encoder=original))
    return learnt.put_on(
        model,
        within=f"{model.base_model_prefix}.",
        task_type="SEQ_CLS",
        modules_to_save=_HEADS[original.config.model_type],
    )


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
