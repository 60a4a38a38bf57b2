"""The commands of `foldrace`: a public file is a command, '-' for '_' in its name.

Each file defines

    PLACE                 where it stands in `foldrace --help`, from the top
    SUMMARY               one line: what it does
    EXAMPLES              typed commands, for the end of its own help
    add_options(parser)   its options
    run(options)          does it; returns the exit code

Nothing heavy is imported at the top of a file: `foldrace --help` reads all of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def listing() -> dict[str, ModuleType]:
    """The commands by the name that one types, in the order of the help."""
    names = [
        module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    ]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    ordered = sorted(modules, key=lambda module: int(module.PLACE))
    return {module.__name__.rsplit(".", 1)[-1].replace("_", "-"): module for module in ordered}
