"""The trial of many napping workers at once: `search.execution.trial` without torch.

A worker that has imported torch holds 0.2 GiB of its own, and cells that nap have no use for it.
All else is the real trial.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def train(config: dict[str, Any], **shared: Any) -> None:
    """Train as the real one does; fake_cells.py puts its nap into the runner."""
    _stand_in("trainables.engine.cells", "runner")
    checkpoint = _stand_in("trainables.engine.training", "checkpoint")
    checkpoint.on_this_node = _anywhere  # type: ignore[attr-defined]
    from search.execution import trial

    trial.train(config, **shared)


def _stand_in(package: str, name: str) -> ModuleType:
    return sys.modules.setdefault(f"{package}.{name}", ModuleType(f"{package}.{name}"))


def _anywhere(folder: Path) -> Path:
    return folder
