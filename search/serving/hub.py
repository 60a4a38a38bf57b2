"""A champion's folder on the Hugging Face hub, by huggingface_hub's own calls."""

from __future__ import annotations

from pathlib import Path

from search.errors import InputError, LedgerError


def check(name: str) -> None:
    """Refuse a push that cannot succeed, before anything is trained.

    Raises:
        InputError: if the name cannot be a repository's, the hub is switched off, or nobody is
            logged in.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise InputError(f"--push-to-hub wants NAME or OWNER/NAME: {error}") from error
    if constants.is_offline_mode():
        raise InputError(
            "--push-to-hub wants the hub, and HF_HUB_OFFLINE switches it off: unset the variable."
        )
    if get_token() is None:
        raise InputError(
            "--push-to-hub wants a login: `hf auth login`, or a token in HF_TOKEN that may write."
        )


def push(folder: Path, name: str, *, public: bool = False) -> str:
    """Upload a model's folder; returns its address.

    Args:
        folder: Folder of the model.
        name: Repository, NAME or OWNER/NAME; made if need be.
        public: Let everybody read it; a new repository is private without.

    Raises:
        LedgerError: if the hub refuses, or cannot be reached; the folder stays.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        repository = api.create_repo(name, private=not public, exist_ok=True)
        api.upload_folder(
            repo_id=repository.repo_id,
            folder_path=folder,
            commit_message="Model and card, by foldrace promote",
        )
    except (HfHubHTTPError, OSError, ValueError) as error:  # a ValueError: of the card
        raise LedgerError(
            f"The hub did not take {name!r}: {str(error).splitlines()[0]} The model is in "
            f"{folder}; `hf upload {name} {folder}` tries again."
        ) from error
    return str(repository)
