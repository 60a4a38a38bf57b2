"""A model's weights: the fit to its architecture, and their numbers.

transformers draws what a file lacks and leaves out what it has no place for, in silence: a network
with the right shape and no training at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trainables.engine.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Nothing here reads a pooler that was not pretrained; see `pretrained.pretrained_pooler`.
_POOLER = "pooler"
# Constants that older versions saved with the weights.
_CONSTANTS = (".inv_freq", ".position_ids", ".token_type_ids")
# No trained weight comes near; a flipped bit of an exponent goes far beyond.
_LARGEST = 1e6
_SHOWN = 2


def check_pickle(file: Path, shown: str) -> None:
    """Refuse a pickle that holds anything but tensors by name.

    Nothing of it is run, and no weight is read.

    Raises:
        ModelError: naming what it holds.
    """
    try:
        found = torch.load(file, map_location="meta", weights_only=True)
    except Exception as error:  # a broken pickle may raise anything
        raise ModelError(
            f"{file.name} of model {shown} cannot be read as tensors alone: it holds other objects "
            "or code, which is never run, or is damaged. Save the model as model.safetensors "
            "(save_pretrained)."
        ) from error
    entries = found if isinstance(found, dict) else {type(found).__name__: found}
    others = [str(name) for name, value in entries.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ModelError(
            f"{file.name} of model {shown} holds more than tensors ({_some(others)}), as the "
            "checkpoint of a training does: save the model alone (save_pretrained)."
        )


def check_fit(network: PreTrainedModel, loaded: Mapping[str, Collection[Any]], shown: str) -> None:
    """Refuse weights that are not those of the network.

    Names beside the network's own parts are heads, and are left out.

    Args:
        network: Network that they were loaded into.
        loaded: What transformers says of the loading.
        shown: Name of the model, for messages.

    Raises:
        ModelError: counting missing, surplus and misshapen weights, and naming some.
    """
    ours = sorted(name for name in network.state_dict() if _matters(name))
    missing = sorted(name for name in loaded["missing_keys"] if _matters(name))
    unexpected = sorted(loaded["unexpected_keys"])
    if missing:
        raise ModelError(_lacking(shown, ours, missing, unexpected))
    surplus = [name for name in unexpected if _is_part(name, network)]
    if surplus:
        raise ModelError(
            f"Model {shown} has {_counted(len(surplus), 'weight')} more than its config.json has "
            f"room for ({_some(surplus)}): config.json is another model's; fetch both anew."
        )
    shapes = sorted(
        (name, tuple(file), tuple(own)) for name, file, own in loaded["mismatched_keys"]
    )
    if shapes:
        name, found, planned = shapes[0]
        raise ModelError(
            f"{_counted(len(shapes), 'weight')} of model {shown} have another shape than its "
            f"config.json says ({name}: {found} in the file, {planned} by config.json): "
            "config.json is another model's; fetch both anew."
        )


def check_numbers(network: nn.Module, shown: str) -> None:
    """Refuse weights that no training gives, and matrices of zeros.

    Raises:
        ModelError: naming the first such weight.
    """
    broken, blank = [], []
    for name, weight in network.named_parameters():
        if not weight.is_floating_point():
            continue
        largest = float(weight.detach().abs().max()) if weight.numel() else 0.0
        if not largest <= _LARGEST:  # of NaN nothing is true
            broken.append(name)
        # A matrix that a download never reached; types of tokens may be zeros on purpose.
        elif weight.ndim > 1 and len(weight) > 1 and "token_type" not in name and not weight.any():
            blank.append(name)
    if broken:
        raise ModelError(
            f"Model {shown} has NaN, infinite or absurdly large numbers in "
            f"{_counted(len(broken), 'weight')} ({_some(broken)}): the training that wrote them "
            "failed, or the file is damaged. Give another model."
        )
    if blank:
        raise ModelError(
            f"Model {shown} has nothing but zeros in {_counted(len(blank), 'weight')} "
            f"({_some(blank)}), as of a download that was broken off: fetch it anew."
        )


def _matters(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] != _POOLER and not name.endswith(_CONSTANTS)


def _is_part(name: str, network: PreTrainedModel) -> bool:
    """Return True for a name within one of the network's own parts."""
    first = name.removeprefix(f"{network.base_model_prefix}.").split(".")[0]
    parts = {part for part, _ in network.named_children()}
    return first in parts and _matters(name.removeprefix(f"{network.base_model_prefix}."))


def _lacking(shown: str, ours: list[str], missing: list[str], unexpected: list[str]) -> str:
    """Return what to say of weights that are not in the file."""
    prefix = _prefix(missing, unexpected)
    lacks = f"it lacks {len(missing):,} of its {_counted(len(ours), 'weight')}"
    if prefix is not None:
        return (
            f"Model {shown} would be drawn at random: {lacks}, as each is called {prefix}<name> in "
            f"the file. Take {prefix!r} off the names, and save it again."
        )
    found = f"; the file has others ({_some(unexpected)})" if unexpected else ""
    share = "would be drawn at random" if len(missing) == len(ours) else "is not whole"
    return (
        f"Model {shown} {share}: {lacks} ({_some(missing)}){found}. Its config.json and its "
        "weights are not of one model, or a part was not saved; fetch or save it anew."
    )


def _prefix(missing: list[str], unexpected: list[str]) -> str | None:
    """Return the prefix of all missing names in the file, or None."""
    found = set(unexpected)
    ends = (name.removesuffix(missing[0]) for name in unexpected if name.endswith(missing[0]))
    return next((end for end in ends if end and all(end + name in found for name in missing)), None)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
