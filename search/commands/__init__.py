"""The commands of `foldrace`, a file each.

The command `a-b` is the file a_b.py; files that begin with '_' are none.

Each file defines

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

# As `foldrace --help` lists them; a command that is not named here stands at the end.
ORDER = (
    "plan",
    "run",
    "resume",
    "watch",
    "leaderboard",
    "compare",
    "report",
    "ensemble",
    "classes",
    "promote",
    "predict",
    "serve",
    "explain",
    "export",
    "submit",
    "schedule",
    "bench_strategies",
    "ui",
    "doctor",
    "prune",
    "spaces",
    "data",
    "models",
    "completion",
)


def listing() -> dict[str, ModuleType]:
    """Commands by typed name, in the order of the help."""
    names = [
        module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    ]
    names.sort(key=(*ORDER, *names).index)
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in names}
