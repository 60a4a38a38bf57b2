"""Models of the Hugging Face hub, cached or downloaded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainables.engine import registry
from trainables.engine.errors import ModelError
from trainables.engine.model_checks import files

_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model*.bin"]


def fetched(
    hub_id: str, reference: str, aliases: Sequence[str], revision: str | None = None
) -> Path:
    """Return the folder of a hub model's files, downloaded if need be.

    Args:
        hub_id: Id on the hub.
        reference: Name that the user gave the model.
        aliases: Names that it may have been meant for.
        revision: Commit to fetch; None for the newest that is there.

    Raises:
        ModelError: if it is not there and cannot be downloaded, or a file is broken.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    shown, broken = repr(reference), None
    try:
        folder = Path(
            snapshot_download(
                hub_id, revision=revision, allow_patterns=_FILES, local_files_only=True
            )
        )
        files.check_files(folder, shown)
        return folder
    except (LocalEntryNotFoundError, ValueError):
        pass  # not downloaded before
    except ModelError as error:
        broken = error  # of a download that was broken off; the rest may still be had
    try:
        folder = Path(
            snapshot_download(hub_id, revision=revision, allow_patterns=_FILES, etag_timeout=5)
        )
    except Exception as error:  # the hub's client raises a dozen types
        if broken is not None:
            raise broken from error
        if not aliases:
            raise ModelError(f"the hub gave nothing for {hub_id!r} ({_reason(error)}).") from error
        hint = registry.hint(reference, aliases)
        raise ModelError(
            f"Model {shown} is no alias and no folder, and the hub gave nothing for {hub_id!r} "
            f"({_reason(error)}).{hint} Aliases: {', '.join(aliases)}. Without a "
            "network, give a folder or the packaged 'minilm'."
        ) from error
    files.check_files(folder, shown)
    return folder


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
