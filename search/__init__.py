"""WHO decides, WHERE it runs, WHAT is written down.

    from search import SweepSpec, run

    spec = SweepSpec(space="softtriple", data="trec-1k", model="minilm")
    outcome = run(spec)
    print(outcome.frame())

Names are looked up when they are used, so that `foldrace --help` imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.outcome import Outcome
    from search.spec import SweepSpec, make_spec
    from search.sweep import resume, run

__all__ = ["Outcome", "SweepSpec", "make_spec", "resume", "run"]

_HOME = {
    "SweepSpec": "search.spec",
    "make_spec": "search.spec",
    "Outcome": "search.outcome",
    "resume": "search.sweep",
    "run": "search.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
