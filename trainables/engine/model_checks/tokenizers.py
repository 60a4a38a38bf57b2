"""A model's tokenizer: there, with words, padding, and room in the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.files import has_vocabulary
from trainables.engine.model_checks.foreign_errors import refused

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

# Below this share of an embedding's rows a vocabulary is another model's, or cut off.
_LEAST_SHARE = 0.1
_MOST_UNKNOWN = 0.9
_TEXTS_TRIED = 200
_TRIAL = ["a trial of words, \u2603", "and more"]
_SAVE = "save the right one into its folder (save_pretrained)."


def check_tokenizer(
    tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig, folder: Path, shown: str
) -> None:
    """Refuse a tokenizer that does not fit its model; settle padding.

    transformers makes a tokenizer without words where there are no files. Padding is set to the
    token that config.json names, where the tokenizer names none, and to the end of a text: there
    alone a first token is first.

    Args:
        tokenizer: Tokenizer; padding is set in place.
        config: Config of the model.
        folder: Folder of both.
        shown: Name of the model, for messages.

    Raises:
        ModelError: naming what does not fit, and what to do.
    """
    ids = tokenizer.get_vocab()
    special = set(tokenizer.all_special_tokens)
    words = [word for word in ids if word not in special and any(map(str.isalnum, word))]
    if len(words) < 2:
        lacks = (
            "words in its tokenizer: the vocabulary is empty"
            if has_vocabulary(folder)
            else (
                "tokenizer (no tokenizer.json, vocab.txt or the like): every word would be unknown"
            )
        )
        raise ModelError(
            f"Model {shown} has no {lacks}. Save the tokenizer that it was trained with into its "
            "folder (save_pretrained)."
        )
    rows = int(getattr(config.get_text_config(), "vocab_size", None) or len(ids))
    if max(ids.values()) >= rows:
        raise ModelError(
            f"Model {shown} has a tokenizer that goes up to token {max(ids.values()):,}, but an "
            f"embedding of {rows:,} rows: tokens were added, or it is another model's tokenizer. "
            "Resize the embedding (resize_token_embeddings) and save both."
        )
    if len(ids) < _LEAST_SHARE * rows:
        raise ModelError(
            f"Model {shown} has a tokenizer of {len(ids):,} tokens, but an embedding of {rows:,} "
            "rows: its vocabulary is cut off, or another model's. Save the right tokenizer into "
            "its folder."
        )
    _settle_padding(tokenizer, config.get_text_config(), shown)
    _check_room(tokenizer, shown)


def check_reads(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], shown: str) -> None:
    """Refuse a tokenizer that knows hardly a word of some texts.

    Args:
        tokenizer: Tokenizer of the model.
        texts: Texts of a data set; some of them are tried.
        shown: Name of the model, for messages.

    Raises:
        ModelError: with the share of unknown tokens.
    """
    unknown: Any = tokenizer.unk_token_id
    if unknown is None:
        return
    some = list(texts[:: max(1, len(texts) // _TEXTS_TRIED)])
    rows = tokenizer(some, add_special_tokens=False, truncation=True)["input_ids"]
    tokens = sum(len(row) for row in rows)
    count = sum(row.count(unknown) for row in rows)
    if tokens and count > _MOST_UNKNOWN * tokens:
        raise ModelError(
            f"Model {shown} has a tokenizer that does not know {count:,} of {tokens:,} words of "
            "these texts, and all unknown words are one to it. Give a model of the texts' language."
        )


def _settle_padding(tokenizer: Any, config: Any, shown: str) -> None:
    tokenizer.padding_side = "right"
    if tokenizer.pad_token_id is not None:
        return
    number = getattr(config, "pad_token_id", None)
    words = {at: word for word, at in tokenizer.get_vocab().items()}
    if number not in words:
        raise ModelError(
            f"Model {shown} has no padding token, neither in its tokenizer nor in its config.json: "
            'name one in tokenizer_config.json, such as "pad_token": "[PAD]".'
        )
    tokenizer.pad_token = words[number]


def _check_room(tokenizer: Any, shown: str) -> None:
    """Refuse a tokenizer that fails, or cuts all of a text."""
    most = tokenizer.model_max_length
    least = tokenizer.num_special_tokens_to_add(pair=True) + 2
    if not isinstance(most, int | float) or most < least:
        raise ModelError(
            f"Model {shown} has a tokenizer that cuts texts to {most} tokens, which leaves no room "
            "for a word: set model_max_length in its tokenizer_config.json."
        )
    with refused(f"Model {shown} has a tokenizer that fails on a plain text", _SAVE):
        found = tokenizer(_TRIAL, padding=True, truncation=True, max_length=least)["input_ids"]
        tokenizer(*_TRIAL)
    if not all(found):
        raise ModelError(f"Model {shown} has a tokenizer that finds no word in a text: {_SAVE}")
