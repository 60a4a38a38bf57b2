"""A function of a notebook or script, written into a file.

The file travels to workers as text, its digest stands in the keys of cells, and another process
resumes the sweep with it. What the function names is written with it: imports, constants, and other
functions of the same notebook.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from search.errors import InputError
from search.functions.own_file import written

_HEAD = '"""A training function of a notebook or script, as it was when its sweep began."""\n'


def file_of(functions: Mapping[str, Callable[..., Any]], declared: Mapping[str, Any]) -> Path:
    """Write functions into a file that a sweep can name.

    Args:
        functions: The user's by the name they have there: train, or fit and predict, or all three.
        declared: Constants to stand beside them by name, as AXES.

    Raises:
        InputError: if its source cannot be read, or it uses something that cannot be written down.
    """
    first = next(iter(functions.values()))
    if len({function.__name__ for function in functions.values()}) < len(functions):
        raise InputError(
            f"{', '.join(functions)} must have names of their own; {first.__name__!r} is twice."
        )
    source = _Written(functions).text
    for name, value in declared.items():
        source += f"\n{name} = {_literal(name, value, first)}\n"
    name = first.__name__
    stem = name if name not in functions and name.isidentifier() else "own_function"
    return written(f"{stem}.py", source)


def _literal(name: str, value: Any, function: Callable[..., Any]) -> str:
    plain = _plain(value)
    text = repr(plain)
    try:
        same = ast.literal_eval(text) == plain
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise InputError(
            f"{function.__name__} uses {name!r}, a {type(value).__name__} that cannot be written "
            "down: make it inside the function, or write the function into a .py file."
        )
    return text


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as Python's, where they are."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, range) else value


class _Written:
    """Source of functions with all that they name."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._home: ModuleType | None = None
        self._imports: dict[str, None] = {"from __future__ import annotations": None}
        self._parts: dict[str, str] = {}
        for function in functions.values():
            self._home = inspect.getmodule(function)
            self._add(function.__name__, function, function)
        alias = "".join(
            f"\n{name} = {function.__name__}\n"
            for name, function in functions.items()
            if function.__name__ != name
        )
        body = "\n\n".join(self._parts.values())
        self.text = f"{_HEAD}\n" + "\n".join(self._imports) + f"\n\n{body}\n{alias}"

    def _add(self, name: str, value: Any, user: Callable[..., Any]) -> None:
        """Write a name's value before what uses it."""
        if name in self._parts:
            return
        if isinstance(value, ModuleType):
            self._imports[_import_of(value.__name__, name)] = None
        elif self._is_own(value):
            self._add_source(name, value)
        elif (line := _importable(name, value)) is not None:
            self._imports[line] = None
        else:
            self._parts[name] = f"{name} = {_literal(name, value, user)}"

    def _is_own(self, value: Any) -> bool:
        """Tell if a function or class stands in the same file."""
        if not (inspect.isfunction(value) or inspect.isclass(value)):
            return False
        module = value.__module__
        return module == "__main__" or (self._home is not None and module == self._home.__name__)

    def _add_source(self, name: str, value: Any) -> None:
        if value.__name__ == "<lambda>":
            raise InputError("A lambda cannot be written down: give a function made with def.")
        try:
            source = textwrap.dedent(inspect.getsource(value))
            tree = ast.parse(source)
        except (OSError, TypeError, SyntaxError) as error:
            raise InputError(
                f"The source of {name!r} cannot be read ({error}): write it into a .py file, and "
                "give the file's path."
            ) from error
        self._parts[name] = ""  # it may call itself
        for used, found in self._named(tree, value):
            if used != name:
                self._add(used, found, value)
        for line in _submodules(tree, _scope(value)):
            self._imports[line] = None
        del self._parts[name]
        alias = "" if value.__name__ == name else f"\n{name} = {value.__name__}"
        self._parts[name] = source.rstrip() + alias

    def _named(self, tree: ast.AST, value: Any) -> list[tuple[str, Any]]:
        """Return names that code reads from around it, with values."""
        scope = _scope(value)
        names = dict.fromkeys(
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        )
        local = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} | {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return [
            (name, scope[name])
            for name in names
            if name in scope and name not in local and not hasattr(builtins, name)
        ]


def _scope(value: Any) -> dict[str, Any]:
    """Return the names around a function or class."""
    if inspect.isclass(value):
        return dict(vars(sys.modules[value.__module__]))
    around = inspect.unwrap(value)
    closed = inspect.getclosurevars(around).nonlocals
    return {**around.__globals__, **closed}


def _import_of(module: str, name: str) -> str:
    return f"import {module}" if module == name else f"import {module} as {name}"


def _submodules(tree: ast.AST, scope: Mapping[str, Any]) -> list[str]:
    """Return imports of modules that are reached through their package, as a.b.c."""
    lines = []
    for node in ast.walk(tree):
        parts: list[str] = []
        part: ast.AST = node
        while isinstance(part, ast.Attribute):
            parts.append(part.attr)
            part = part.value
        if not parts or not isinstance(part, ast.Name):
            continue
        module = scope.get(part.id)
        if not isinstance(module, ModuleType) or module.__name__ != part.id:
            continue
        path = part.id
        for attribute in reversed(parts):
            path += f".{attribute}"
            if path not in sys.modules:
                break
            lines.append(f"import {path}")
    return lines


def _importable(name: str, value: Any) -> str | None:
    """Return the import of a library's object; None where there is none."""
    module = getattr(value, "__module__", None)
    own = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if (
        not isinstance(module, str)
        or not isinstance(own, str)
        or module in ("__main__", "builtins")
    ):
        return None
    if "." in own or "<" in own or keyword.iskeyword(own):
        return None
    if getattr(sys.modules.get(module), own, None) is not value:
        return None
    return f"from {module} import {own}" + ("" if own == name else f" as {name}")
