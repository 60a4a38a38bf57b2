"""A user's plugin in a worker, by its text.

Its file need not lie on the worker's machine.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from trainables.engine import registry

Plugin = tuple[str, str]
"""The file's name and its text."""


def read_text(path: str | None) -> Plugin | None:
    """Read a plugin as it travels to workers; None without one."""
    return None if path is None else (Path(path).name, Path(path).read_text(encoding="utf-8"))


@cache
def load_text(plugin: Plugin | None) -> None:
    """Import a plugin, once a process.

    Raises:
        RegistryError: as `registry.load_plugin`.
    """
    if plugin is not None:
        name, text = plugin
        # The folder stays: a plugin's source may be looked up later.
        file = Path(tempfile.mkdtemp(prefix="foldrace-plugin-"), name)
        file.write_text(text, encoding="utf-8")
        registry.register_plugin(file)
