"""Meanings of hyper-parameters: the Attributes of their Config's docstring.

A Config states each meaning once, beside its field; help and listings show it. The file is read,
not imported: torch takes seconds.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from functools import cache
from pathlib import Path

from trainables.engine import registry

_ENTRY = re.compile(r"(\w+): (.+)")


def of(trainable: str) -> dict[str, str]:
    """Return the meaning of each documented field of a trainable's Config.

    Fields of its bases are included.

    Raises:
        RegistryError: if there is no such trainable.
    """
    return dict(_of_class(registry.source("trainables", trainable), "Config"))


@cache
def _of_class(file: Path, name: str) -> tuple[tuple[str, str], ...]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    if name not in classes:  # handed on by a facade
        other = _imported_from(tree, name)
        return () if other is None else _of_class(other, name)
    meanings: dict[str, str] = {}
    for base in reversed(classes[name].bases):
        parent = base.id if isinstance(base, ast.Name) else ""
        if parent in classes:
            meanings |= _of_class(file, parent)
        elif (other := _imported_from(tree, parent)) is not None:
            meanings |= _of_class(other, parent)
    meanings |= _attributes(ast.get_docstring(classes[name]) or "")
    return tuple(meanings.items())


def _imported_from(tree: ast.Module, name: str) -> Path | None:
    """Return the project's file that a name is imported from."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if name in {alias.asname or alias.name for alias in node.names}:
            if node.module.split(".")[0] != __name__.split(".")[0]:
                return None
            spec = importlib.util.find_spec(node.module)
            return None if spec is None or spec.origin is None else Path(spec.origin)
    return None


def _attributes(docstring: str) -> dict[str, str]:
    """Return the entries of a docstring's Attributes, a line each."""
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    entries: dict[str, str] = {}
    last = None
    for line in section.splitlines():
        if line.strip() and not line.startswith(" "):
            break  # the next section
        text = line.strip()
        entry = _ENTRY.fullmatch(text)
        if entry is not None and line.startswith("    ") and not line.startswith("     "):
            last = entry[1]
            entries[last] = entry[2]
        elif text and last is not None:
            entries[last] += f" {text}"
    return entries
