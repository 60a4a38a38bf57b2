"""Names to objects: a public module of a package is the entry.

`trainables/metrics/accuracy.py` is found because it lies there; no list is edited. A leading
underscore hides a module, and a sub-package (`engine`, `schema`) is machinery, not an entry. Names
are listed without importing anything; a module is imported when its object is used. Losses are no
entries: the trainable that uses one imports it.
"""

from __future__ import annotations

import difflib
import dis
import importlib
import importlib.util
import linecache
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from trainables.engine.errors import ConfigError, RegistryError

_PLUGIN = "foldrace_plugin_"
# package -> entry name -> module of a user's own file
_plugged: dict[str, dict[str, ModuleType]] = {}

# What a user's file may define, and the package whose entry it then is.
_KINDS = {
    "SPACE": "spaces",
    "DATASET": "trainables.data",
    "ENCODER": "trainables.encoders",
    "METRIC": "trainables.metrics",
    "CLEANING": "trainables.cleaning",
    "REPRESENTATION": "trainables.representations",
}


@cache
def _on_disk(package: str) -> tuple[str, ...]:
    folder = importlib.import_module(package).__path__
    return tuple(
        sorted(
            module.name
            for module in pkgutil.iter_modules(folder)
            if not module.ispkg and not module.name.startswith("_")
        )
    )


def names(package: str) -> tuple[str, ...]:
    """Return the entries of a package, sorted; none is imported."""
    plugged = _plugged.get(package)
    # Scoring of every cell comes here: without a plugin the names are ready.
    return tuple(sorted({*_on_disk(package), *plugged})) if plugged else _on_disk(package)


def load(package: str, name: str, attribute: str) -> Any:
    """Return the object that an entry defines.

    '-' and '_' are the same in a name.

    Args:
        package: Name of the package, for example "trainables.metrics".
        name: Name of the entry, which is a module's.
        attribute: Name that the module defines: SPACE, DATASET, Config, build ...

    Raises:
        RegistryError: naming the nearest entries, or the attribute that the entry lacks.
    """
    file = entry(package, name)
    if not hasattr(file, attribute):
        raise RegistryError(f"{file.__name__} must define {attribute}, and does not.")
    return getattr(file, attribute)


def defines(package: str, name: str, attribute: str) -> bool:
    """Return True if an entry defines an optional name.

    Raises:
        RegistryError: if there is no such entry.
    """
    return hasattr(entry(package, name), attribute)


def source(package: str, name: str) -> Path:
    """Return the file that defines an entry; it is not imported.

    Raises:
        RegistryError: if there is no such entry.
    """
    module = name.replace("-", "_")
    plugged = _plugged.get(package, {})
    if module in plugged:
        return Path(str(plugged[module].__file__))
    if module not in _on_disk(package):
        raise _unknown(package, name)
    folder = importlib.import_module(package).__path__[0]
    return Path(folder) / f"{module}.py"


def plugged(package: str, name: str) -> ModuleType | None:
    """Return the module of a user's entry, if it is one."""
    return _plugged.get(package, {}).get(name.replace("-", "_"))


@contextmanager
def plugin_rules(package: str, name: str) -> Iterator[None]:
    """Report a ValueError of a user's file as a refused config.

    In a file of the project it is a mistake in the code.

    Raises:
        ConfigError: in place of the ValueError, naming the file.
    """
    try:
        yield
    except ValueError as error:
        plugged = _plugged.get(package, {}).get(name.replace("-", "_"))
        if plugged is None:
            raise
        file = Path(str(plugged.__file__)).name
        raise ConfigError(f"Plugin {file} refuses a config: {error}") from error


def entry(package: str, name: str) -> ModuleType:
    """Return the module of an entry, imported.

    Raises:
        RegistryError: if there is no such entry.
    """
    module = name.replace("-", "_")
    plugged = _plugged.get(package, {})
    if module in plugged:
        return plugged[module]
    if module in _on_disk(package):
        return importlib.import_module(f"{package}.{module}")
    raise _unknown(package, name)


def _unknown(package: str, name: str) -> RegistryError:
    """Return the error for an entry that is not there."""
    module = name.replace("-", "_")
    kind = package.rsplit(".", maxsplit=1)[-1]
    near = hint(module, names(package))
    return RegistryError(f"No entry {name!r} in {kind}.{near} Known: {', '.join(names(package))}.")


def hint(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the sentence that suggests the nearest known name.

    It is empty where no name is near.

    Args:
        name: Name as it was typed.
        known: All names.
        cutoff: Least similarity, in [0, 1].
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" Did you mean {near[0]!r}?" if near else ""


def entry_name(module: ModuleType) -> str:
    """Return the entry name of a module, plugin or not."""
    return module.__name__.rpartition(".")[2].removeprefix(_PLUGIN)


def _raised_by(path: str, error: BaseException) -> bool:
    """Return True for an exception of a `raise` in a file.

    Ctrl-C comes between two instructions.
    """
    last = _frames(error)[-1]
    code = last.tb_frame.f_code
    raised = dis.opname[code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
    return raised and code.co_filename == path


def _import_fault(path: str, error: BaseException) -> str:
    """Return the fault that an import found, with the file's line."""
    if isinstance(error, SyntaxError):
        return "is no Python:\n" + "".join(traceback.format_exception_only(error)).rstrip()
    lines = [frame.tb_lineno for frame in _frames(error) if _file(frame) == path]
    if not lines:
        return f"cannot be imported: {type(error).__name__}: {error}."
    where = f"line {lines[-1]}: {linecache.getline(path, lines[-1]).strip()}"
    if isinstance(error, Exception):
        said = "".join(traceback.format_exception_only(error)).rstrip()
        return f"cannot be imported.\n  {where}\n{said}"
    return f"ends the program when it is imported ({error!r}); it should declare only.\n  {where}"


def _frames(error: BaseException) -> list[TracebackType]:
    frames, frame = [], error.__traceback__
    while frame is not None:
        frames.append(frame)
        frame = frame.tb_next
    return frames


def _file(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename


def register_plugin(path: Path | str) -> tuple[str, ...]:
    """Import a user's file and add its definitions to the entries.

    The new entries have the file's name. A file may define SPACE, DATASET, ENCODER, METRIC,
    CLEANING, REPRESENTATION, or a trainable (VERSION, Config, build), or a training function
    (AXES, train; or AXES, fit, predict).

    Returns:
        Names of the packages that gained an entry.

    Raises:
        RegistryError: if there is no such file, it cannot be imported, or defines none of these.
    """
    path = Path(path)
    if not path.is_file():
        raise RegistryError(f"There is no plugin file {str(path)!r}.")
    spec = importlib.util.spec_from_file_location(_PLUGIN + path.stem, path)
    if spec is None or spec.loader is None:
        raise RegistryError(f"A plugin must be a .py file, got {str(path)!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        path.read_bytes().decode()  # it travels to workers as text
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[spec.name]
        if not isinstance(error, Exception | SystemExit) and not _raised_by(
            str(spec.origin), error
        ):
            raise  # Ctrl-C, while the file was imported
        raise RegistryError(f"Plugin {path} {_import_fault(str(spec.origin), error)}") from error
    packages = [package for attribute, package in _KINDS.items() if hasattr(module, attribute)]
    pair = [name for name in ("fit", "predict") if hasattr(module, name)]
    if hasattr(module, "build") or hasattr(module, "train") or len(pair) == 2:
        packages.append("trainables")
    if not packages:
        half = ""
        if pair:
            other = "predict(model, test)" if pair == ["fit"] else "fit(config, train, seed)"
            half = f" It has {pair[0]} and lacks {other}."
        raise RegistryError(
            f"Plugin {path} defines none of {', '.join(_KINDS)}, no trainable (VERSION, Config, "
            "build), and no function train(config, train, test, seed), nor the pair "
            f"fit(config, train, seed) and predict(model, test).{half}"
        )
    for package in packages:
        _plugged.setdefault(package, {})[path.stem] = module
    return tuple(packages)
