"""Several trials on one GPU: Ray is told of one, so that this runs where there is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.integration.sweep_shell import Shell

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not os.environ.get("FOLDRACE_FAULTS"), reason="a minute: `make faults` runs it"
    ),
]


def test_trials_of_half_a_gpu_run_two_at_a_time(
    tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    shell = Shell(tmp_path, tiny_encoder, reviews)
    shell.more = {"RAY_OVERRIDE_RESOURCES": json.dumps({"GPU": 1, "CPU": 2})}
    small = ("--max-cells", "4", "--configs", "reference")
    out, err = shell.run(
        *("run", *shell.sweep, *small, "--gpus-per-trial", "0.5", "--cpus-per-trial", "0.5")
    )
    # By CPUs it would be four.
    assert "training, 2 stacks at a time" in err
    assert "4 cells trained, 0 taken from the ledger" in out + err
    assert len(shell.table()) == 4
