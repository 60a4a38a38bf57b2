"""Race the configs of a space on paired cells.

Example:
    Which learning rate tells two authors' tweets apart, with a frozen encoder?

    ```python
    from search import load, plan, run

    words = dict(
        space="linear_grid",
        data="election-tweets-1k",
        model="minilm",
        name="two-rates",
        set={
            "representation": "encoder-mean",
            "learning_rate": [0.001, 0.1],
            "weight_decay": 0.001,
            "epochs": 2,
        },
        seeds=2,
        folds=3,
    )
    print(len(plan(**words).configs), "configs")  # reads and checks everything, trains nothing
    result = run(**words)  # the words of the command line; data may be a DataFrame
    print(result.leaderboard()[["learning_rate", "mean", "cells"]])
    assert load("two-rates").cells().shape == result.cells().shape
    ```

`foldrace --help` imports nothing heavy: names here are looked up when they are used.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api.calls import compare, load, plan, predict, promote, report, resume, run
    from search.api.result import Result
    from search.planning.plan import Plan
    from search.results.outcome import SweepResult
    from search.spec.make_spec import make_spec
    from search.spec.sweep_spec import Budget, Resources, SweepSpec
    from search.sweep.callback import Callback

__all__ = [
    "Budget",
    "Callback",
    "Plan",
    "Resources",
    "Result",
    "SweepResult",
    "SweepSpec",
    "compare",
    "load",
    "make_spec",
    "plan",
    "predict",
    "promote",
    "report",
    "resume",
    "run",
]

_HOME = {
    "Callback": "search.sweep.callback",
    "Plan": "search.planning.plan",
    "SweepResult": "search.results.outcome",
    "SweepSpec": "search.spec.sweep_spec",
    "Budget": "search.spec.sweep_spec",
    "Resources": "search.spec.sweep_spec",
    "Result": "search.api.result",
    "compare": "search.api.calls",
    "load": "search.api.calls",
    "make_spec": "search.spec.make_spec",
    "plan": "search.api.calls",
    "predict": "search.api.calls",
    "promote": "search.api.calls",
    "report": "search.api.calls",
    "resume": "search.api.calls",
    "run": "search.api.calls",
}


def _bring(package: str) -> None:
    """Import a package from beside this one, whatever else has its name.

    Raises:
        ImportError: if another one of that name has been imported before.
    """
    start = Path(__file__).resolve().parents[1] / package / "__init__.py"
    loaded = sys.modules.get(package)
    if loaded is not None and Path(loaded.__file__ or "nowhere").resolve() != start:
        raise ImportError(
            f"foldrace's own package {package!r} is {start}, and {loaded.__file__} was imported "
            "under that name before: import search first, or in another process."
        )
    spec = spec_from_file_location(package, start, submodule_search_locations=[str(start.parent)])
    if loaded is None and spec is not None and spec.loader is not None:
        sys.modules[package] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])


_bring("spaces")
_bring("trainables")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
