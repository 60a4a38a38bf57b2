"""The model under a champion's adapters: there still, and the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import InputError
from trainables.engine.errors import ModelError
from trainables.engine.models import hub

if TYPE_CHECKING:
    from search.tracking.model_registry import Registered
    from trainables.engine.refit.saved_adapters import Base

_TAG = "base"


def tags(base: Base | None) -> dict[str, str]:
    """Tags of a version that say which model its adapters stand on."""
    if base is None:
        return {}
    about = {"name": base.name, "place": base.place, "revision": base.revision}
    return {_TAG: json.dumps({**about, "sha256": base.digests})}


def check(model: Registered) -> None:
    """Refuse a model whose adapters lack the model that they stand on.

    Args:
        model: Version of a registered model; one with whole weights passes.

    Raises:
        InputError: if the base is not there, or is another by now.
    """
    written = model.tags.get(_TAG)
    if written is None:
        return
    base = json.loads(written)
    called = f"{model.name}, version {model.version}, is an adapter of the model {base['name']}"
    out = "promote it again with --merge, which saves whole weights"
    if not base["sha256"]:
        try:
            hub.fetched(base["place"], base["name"], (), revision=base["revision"])
        except ModelError as error:
            raise InputError(f"{called}, which cannot be had: {error} Or {out}.") from error
        return
    for name, digest in base["sha256"].items():
        file = Path(base["place"]) / name
        if not file.is_file():
            raise InputError(f"{called}, and {file} is not there: put it back, or {out}.")
        with file.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
                raise InputError(
                    f"{called}, and {file} holds other weights than it was trained on: put those "
                    f"back, or {out}."
                )
