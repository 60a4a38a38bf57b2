"""Kinds of models, by config.json: what a model reads, and how.

A classifier on one vector of a text needs an encoder that reads the text both ways. A decoder's
first token has seen nothing of the text, and its weights cannot be pooled as an encoder's: it is
refused by name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.files import model_config
from trainables.engine.model_checks.foreign_errors import refused

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

PAIRED = ("clip", "siglip", "siglip2")
"""Models of a text tower and an image tower."""

IMAGES = "efficientnet_lite0"
"""The model of images alone that is read here."""

OWN = "foldrace-pooled"
"""Classifiers that foldrace saves with code of their own."""

# Each is built, an object of Python: of a wrong number they would take for ever.
_MOST_LAYERS = 1000
_ENCODERS = (
    "Give an encoder, such as a BERT, RoBERTa, DistilBERT, ELECTRA, MPNet, DeBERTa or ModernBERT."
)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers from printing: what it finds is said in a ModelError."""
    from transformers.utils import logging as hf_logging

    verbosity = hf_logging.get_verbosity()
    hf_logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)


def check_kind(folder: Path, shown: str) -> str:
    """Return a model's model_type; refuse one that cannot be read here.

    Args:
        folder: Folder of the model.
        shown: Name of the model, for messages.

    Raises:
        ModelError: for a type that this transformers does not know.
    """
    from transformers import CONFIG_MAPPING

    config = model_config(folder, shown)
    kind = str(config["model_type"])
    if kind == OWN:
        raise ModelError(
            f"Model {shown} is a classifier that foldrace saved (model_type {kind!r}), with a head "
            f"and code of its own: use it with `foldrace predict`. {_ENCODERS}"
        )
    if kind == IMAGES or kind in CONFIG_MAPPING:
        return kind
    if "auto_map" in config:
        raise ModelError(
            f"Model {shown} (model_type {kind!r}) needs code of its own, named by auto_map in "
            f"config.json, and code that comes with weights is never run. {_ENCODERS}"
        )
    raise ModelError(
        f"Model {shown} has the model_type {kind!r}, which this transformers does not know: mend "
        "its config.json, or install a transformers that knows it."
    )


def read_config(folder: Path, shown: str) -> PretrainedConfig:
    """Return a model's config, as transformers reads it.

    Raises:
        ModelError: as `check_kind`, for a model of images alone, or for values that its type does
            not take.
    """
    if check_kind(folder, shown) == IMAGES:
        raise ModelError(
            f"Model {shown} looks at images only, and texts are to be read. {_ENCODERS}"
        )
    from transformers import AutoConfig

    found = f"The config.json of model {shown} has values that its type does not take"
    with refused(found, "fetch it anew."), quietly():
        config: PretrainedConfig = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    layers = getattr(config.get_text_config(), "num_hidden_layers", None) or 0
    if not isinstance(layers, int) or layers > _MOST_LAYERS:
        raise ModelError(
            f"The config.json of model {shown} speaks of {layers:,} layers, and no model has so "
            "many: fetch it anew."
        )
    return config


def check_encoder(folder: Path, shown: str) -> PretrainedConfig:
    """Refuse a model that is no encoder of texts; return its config.

    Raises:
        ModelError: naming what the model is, and what to give instead.
    """
    kind = model_config(folder, shown)["model_type"]
    if kind in PAIRED:
        raise ModelError(
            f"Model {shown} is a pair of towers for images and texts (model_type {kind!r}), of use "
            f"to the space factify only. {_ENCODERS}"
        )
    config = read_config(folder, shown)
    what = _no_encoder(config)
    if what is not None:
        raise ModelError(f"Model {shown} (model_type {kind!r}) {what}. {_ENCODERS}")
    return config


def _no_encoder(config: Any) -> str | None:
    """Word the reason why a model is no encoder; None for one."""
    from transformers.models.auto import modeling_auto as known

    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        return "is an encoder-decoder: its decoder writes a text, and no vector stands for one"
    if getattr(config, "is_decoder", False):
        return "is a decoder (is_decoder in its config.json): no token sees those behind it"
    if kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return None
    if kind in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "is a decoder (autoregressive), so no first token stands for a text"
    if kind in known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        return "looks at images, and texts are to be read"
    return "is no encoder that was trained to read texts"


def check_words(network: PreTrainedModel, shown: str) -> None:
    """Refuse an encoder without one table of word embeddings.

    Raises:
        ModelError: naming the network.
    """
    try:
        weight = getattr(network.get_input_embeddings(), "weight", None)
    except NotImplementedError:
        weight = None
    if weight is None or weight.ndim != 2:
        raise ModelError(
            f"Model {shown} (a {type(network).__name__}) has no table of word embeddings, (words, "
            f"width), and cannot be trained here. {_ENCODERS}"
        )
