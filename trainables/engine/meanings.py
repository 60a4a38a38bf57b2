"""What each hyper-parameter means: the Attributes of its Config's docstring, read as text.

A Config says it once, where the field is; help and listings take it from there. The file is read,
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
    """The meaning of each documented field of a trainable's Config, its bases' included.

    Raises:
        RegistryError: if there is no such trainable.
    """
    return dict(_of_class(registry.source("trainables", trainable), "Config"))


@cache
def _of_class(file: Path, name: str) -> tuple[tuple[str, str], ...]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    if name not in classes:
        return ()
    found: dict[str, str] = {}
    for base in reversed(classes[name].bases):
        known = base.id if isinstance(base, ast.Name) else ""
        if known in classes:
            found |= _of_class(file, known)
        elif (other := _imported_from(tree, known)) is not None:
            found |= _of_class(other, known)
    found |= _attributes(ast.get_docstring(classes[name]) or "")
    return tuple(found.items())


def _imported_from(tree: ast.Module, name: str) -> Path | None:
    """The file of ours that a name is imported from."""
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
    """The entries of a docstring's section Attributes, each on one line."""
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    found: dict[str, str] = {}
    last = None
    for line in section.splitlines():
        if line.strip() and not line.startswith(" "):
            break  # the next section
        text = line.strip()
        entry = _ENTRY.fullmatch(text)
        if entry is not None and line.startswith("    ") and not line.startswith("     "):
            last = entry[1]
            found[last] = entry[2]
        elif text and last is not None:
            found[last] += f" {text}"
    return found
