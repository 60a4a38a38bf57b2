"""The GPU's script: with a GPU its figures, without one its steps on a tiny encoder.

So that the script itself is never what fails on the day that there is a GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gpu.table import differences, out_of_bounds
from throughput import need_trec

SCRIPT = Path(__file__).parent / "gpu" / "run.sh"


def test_every_step_of_the_script(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need_trec(monkeypatch)
    cuda = torch.cuda.is_available()
    # A second thread would wait for the first on a busy machine.
    own = {"OUT": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHON": sys.executable}
    subprocess.run(
        ["bash", str(SCRIPT), *([] if cuda else ["--tiny"])],
        check=True, timeout=900, env={**os.environ, **own},
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    steps: dict[str, dict[str, Any]] = {line.pop("step"): line for line in lines}
    # On a GPU the last steps may find no time.
    faults = {"error"} if cuda else {"error", "skipped"}
    assert not [name for name, line in steps.items() if faults & set(line)], steps
    assert out_of_bounds(differences(steps["equal"])) == []
    sizes = [each for name, each in steps["stacks"].items() if name.startswith("stack_")]
    fastest = min(each["s_a_cell"] for each in sizes)
    record(
        f"GPU script, {steps['card']['card']}",
        "a cell in a stack against the warm Trainer",
        min(s for name, s in steps["trainer_warm"].items() if name.endswith("cell")) / fastest,
        steps=steps,
    )
