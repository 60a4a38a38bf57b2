"""Shell completion: commands by argcomplete, names as they are now.

argcomplete asks this very program, so that a new space, a plugin's options and the sweeps of the
ledger are offered without anything being generated anew. It is imported for a TAB alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh")
_MOST = 200  # sweeps

Completer = Callable[..., Iterable[str]]


def asked() -> bool:
    """True if a shell asks for completions."""
    return "_ARGCOMPLETE" in os.environ


def answer(parser: argparse.ArgumentParser) -> None:
    """Print the completions and end."""
    import argcomplete

    offer(parser)
    argcomplete.autocomplete(parser)


def script(shell: str) -> str:
    """The lines that a shell reads at its start."""
    from argcomplete.shell_integration import shellcode

    # One text for both: it looks which shell reads it.
    return shellcode(["foldrace"], shell=shell)


def offer(parser: argparse.ArgumentParser) -> None:
    """Give each argument of a command line what may stand there."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                offer(command)
            continue
        completer = _of(action)
        if completer is not None:
            action.completer = completer  # type: ignore[attr-defined]


def _of(action: argparse.Action) -> Completer | None:
    if action.metavar == "SPACE":
        return lambda prefix, **_: [*_entries("spaces"), *_files(prefix)]
    if action.metavar == "SWEEP":
        return lambda prefix, parsed_args, **_: sweeps(parsed_args)
    if "--data" in action.option_strings and action.metavar == "REF":
        return lambda prefix, **_: [*_entries("trainables.data"), *_files(prefix)]
    if "--model" in action.option_strings and action.metavar == "REF":
        return lambda prefix, **_: [*_entries("trainables.encoders"), *_files(prefix)]
    if action.dest in ("set_axes", "fix"):
        return lambda prefix, parsed_args, **_: _fields(parsed_args)
    return None


def _entries(package: str) -> list[str]:
    from trainables.engine import registry

    return [name.replace("_", "-") for name in registry.names(package)]


def _files(prefix: str) -> list[str]:
    from argcomplete.completers import FilesCompleter

    return list(FilesCompleter()(prefix))


def _fields(options: Any) -> list[str]:
    """NAME= of each axis, then of each fixed value."""
    from search.errors import InputError
    from search.spec.sweep_spec import SPACE
    from trainables.engine import registry

    try:
        space = registry.load("spaces", str(options.space or SPACE), "SPACE")
    except InputError:
        return []
    return [f"{name}=" for name in space.kinds]


def sweeps(options: Any) -> list[str]:
    """Names of a local ledger's sweeps, newest first; servers are not asked."""
    from search.errors import DeliveryRefusedError
    from search.ledger.store import Store
    from search.tracking.sqlite_store import SqliteStore
    from search.tracking_uri import default_tracking_uri, sqlite_file

    def no_writer(read_to: object) -> Store:
        raise ConnectionError("MLflow is not imported for a TAB")

    file = sqlite_file(getattr(options, "tracking_uri", None) or default_tracking_uri())
    if file is None or not Path(file).is_file():
        return ["latest"]
    experiment = getattr(options, "experiment", None) or "foldrace"
    store = SqliteStore(file, {"sweeps": f"{experiment}/sweeps"}, no_writer)
    try:
        names = dict.fromkeys(run.name for run in store.runs("sweeps"))
    except (OSError, DeliveryRefusedError):
        return ["latest"]
    return ["latest", *list(names)[:_MOST]]
