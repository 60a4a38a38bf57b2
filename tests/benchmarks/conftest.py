"""One record of all benchmarks: a JSON file, and a table at the end of the run.

A bench asks for the fixture `record` and tells it what it measured. The file is `benchmarks.json`
in the folder of the run, or where FOLDRACE_BENCH_JSON says; a figure replaces an older one of its
name.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_FIGURES: list[dict[str, Any]] = []
# Where the run began: a bench may go elsewhere.
_FILE = Path(os.environ.get("FOLDRACE_BENCH_JSON", "benchmarks.json")).resolve()


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    import torch

    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "load": [round(value, 1) for value in os.getloadavg()],
    }


@pytest.fixture
def record() -> Callable[..., None]:
    """Keeps a figure for the file and the table."""

    def keep(
        name: str,
        what: str,
        value: float,
        *,
        unit: str = "x",
        at_least: float | None = None,
        at_most: float | None = None,
        **numbers: Any,
    ) -> None:
        """One figure.

        Args:
            name: Short and unique.
            what: What against what, on what.
            value: A ratio, or another number in `unit`.
            unit: "x" for a ratio.
            at_least: The target from below, if there is one.
            at_most: The target from above, if there is one.
            numbers: What the value was made of.
        """
        target = "-"
        if at_least is not None:
            target = f"at least {at_least:g}"
        if at_most is not None:
            target = f"at most {at_most:g}"
        met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        figure = {
            "name": name,
            "what": what,
            "value": value,
            "unit": unit,
            "target": target,
            "met": met if target != "-" else None,
            "numbers": numbers,
            "machine": machine(),
            "at": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        _FIGURES.append(figure)
        kept = json.loads(_FILE.read_text()) if _FILE.is_file() else []
        kept = [old for old in kept if old["name"] != name] + [figure]
        _FILE.write_text(json.dumps(kept, indent=1) + "\n")

    return keep


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of what this run measured."""
    if not _FIGURES:
        return
    on = _FIGURES[-1]["machine"]
    terminalreporter.section("benchmarks")
    gpu = f", {on['gpu']}" if on["gpu"] else ""
    terminalreporter.write_line(
        f"{on['processor']}, {on['cores']} cores{gpu}, torch {on['torch']}, load {on['load'][0]}\n"
    )
    terminalreporter.write_line("| what | measured | target | met |\n| --- | --: | --- | --- |")
    for one in _FIGURES:
        met = {None: "-", True: "yes", False: "NO"}[one["met"]]
        value = f"{one['value']:.3g} {one['unit']}"
        terminalreporter.write_line(
            f"| {one['name']}: {one['what']} | {value} | {one['target']} | {met} |"
        )
