"""Digest of the code behind a cell's numbers; its transport to workers.

Ray's workers import what they are sent by name, wherever they look first: a second checkout, or a
file `search.py` in the folder that a sweep is started in, would stand in for ours. So functions for
workers travel as text with one address, `carried`, and begin by taking the packages from there.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("search", "spaces", "trainables")
_NUMBERS = "trainables"
# Of a user's file: told by their own fingerprints, or, as a space, by each cell's config.
_TOLD_APART = {"SPACE", "DATASET", "ENCODER"}
# Beside a training function: what is searched, and how it is judged.
_OF_THE_SEARCH = {"AXES", "BASELINE", "OBJECTIVE", "MODE", "STRATEGY"}
# A LOSS is no entry of its own, but stands in the keys of cells that such files have trained.
_MAKES_NUMBERS = {"LOSS", "METRIC", "CLEANING", "REPRESENTATION", "build", "train"}
_PAIR = {"fit", "predict"}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def numbers() -> str:
    """Digest of all code in `trainables`, comments left out."""
    return _digest_of(ROOT / _NUMBERS)


@cache
def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update("\n".join(_words(ast.parse(path.read_bytes()))).encode() + b"\0")
    return digest.hexdigest()[:16]


def of_plugin(text: str) -> str:
    """Digest of a plugin's training code; empty for mere declarations.

    Args:
        text: Text of the file.
    """
    tree = ast.parse(text)
    defined = {name for node in tree.body for name in _defined(node)}
    pair = defined >= _PAIR and not defined & {"train", "build"}
    apart = _TOLD_APART | (_OF_THE_SEARCH if pair or "train" in defined else set())
    tree.body = [node for node in tree.body if not _defined(node) & apart]
    if not pair and not any(_defined(node) & _MAKES_NUMBERS for node in tree.body):
        return ""
    return hashlib.sha256("\n".join(_words(tree)).encode()).hexdigest()[:16]


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.ImportFrom | ast.Import):
        return {alias.asname or alias.name for alias in node.names}
    targets: Sequence[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _words(node: ast.AST) -> Iterator[str]:
    """Syntax tree in words independent of Python's version and docstrings."""
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        # What newer versions add is empty where it is not used; contexts say nothing new.
        if value is None or value == [] or name in ("ctx", "kind", "type_comment"):
            continue
        yield name
        parts = value if isinstance(value, list) else [value]
        if name == "body" and isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            parts = parts[1:]
        for part in parts:
            if isinstance(part, ast.AST):
                yield from _words(part)
            else:
                yield repr(part)


def paths() -> list[str]:
    """Absolute paths that this process imports modules from."""
    return [os.path.abspath(path) for path in sys.path]  # noqa: PTH100  (of "" too)


def carried(entry: str, refuse: Callable[[str], Any], *, same_machine: bool) -> Callable[..., Any]:
    """Wrap a function so that workers run the driver's code or refuse.

    It refers to no module of ours, so that it travels by value and imports nothing on arrival.

    Args:
        entry: Place of the function, as "module:name".
        refuse: Called instead, with what is wrong; it must refer to no module of ours either.
        same_machine: True if workers see the driver's folders.
    """
    root, packages, expected = str(ROOT), PACKAGES, numbers()
    look_up = paths() if same_machine else None
    module, _, name = entry.partition(":")

    def run(*args: Any, **named: Any) -> Any:
        import importlib
        import sys
        from importlib.util import module_from_spec, spec_from_file_location
        from pathlib import Path

        if look_up is not None:
            sys.path[:] = [*look_up, *(path for path in sys.path if path not in look_up)]
        for package in packages:
            start, loaded = Path(root, package, "__init__.py"), sys.modules.get(package)
            place = Path(getattr(loaded, "__file__", None) or "nowhere").resolve()
            if loaded is not None and start.is_file() and place != start:
                return refuse(f"A worker has {package!r} from {place}, the driver from {start}.")
        # On another machine the driver's folder may not be: there it is what is installed.
        start = Path(root, packages[0], "__init__.py")
        spec = spec_from_file_location(
            packages[0], start, submodule_search_locations=[str(start.parent)]
        )
        if packages[0] not in sys.modules and start.is_file() and spec and spec.loader:
            sys.modules[packages[0]] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[packages[0]])  # brings the others
        try:
            here = importlib.import_module("search.process.own_code")
            digest, place = here.numbers(), here.ROOT
        except (ImportError, AttributeError) as error:
            return refuse(f"A worker has another foldrace than the driver: {error!r}.")
        if digest != expected:
            return refuse(
                f"A worker has other code than the driver: the digest of trainables is {digest} in "
                f"{place}, {expected} in the driver's {root}. Install the same foldrace "
                "everywhere; if a file was edited while the sweep ran, start it again: what "
                "finished is kept."
            )
        return getattr(importlib.import_module(module), name)(*args, **named)

    run.__name__ = name
    return run
