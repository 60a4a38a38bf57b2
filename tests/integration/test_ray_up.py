"""`ray up`, `ray submit` and `ray down` with local-cluster.yaml, over ssh to the loopback."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback_machines import ADDRESSES, Machines
from sweep_shell import Shell

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not os.environ.get("FOLDRACE_FAULTS"), reason="minutes, and sshd: `make faults` runs it"
    ),
]

FILE = Path(__file__).with_name("local-cluster.yaml")


@pytest.fixture
def machines() -> Iterator[Machines]:
    made = Machines()
    try:
        try:
            made.start()
        except OSError as error:
            pytest.skip(f"no sshd can run on port 22 of {', '.join(ADDRESSES)}: {error}")
        yield made
    finally:
        made.end()


def here(machines: Machines) -> Path:
    """The file, with this machine's key, name and ports; what installs is left out."""
    text = FILE.read_text()
    assert text.count(":6379") == 1
    text = text.replace("6379", str(machines.port))
    cluster: dict[str, Any] = yaml.safe_load(text)
    cluster["cluster_name"] = f"foldrace-{secrets.token_hex(4)}"
    cluster["auth"]["ssh_private_key"] = str(machines.key)
    cluster["setup_commands"] = [
        command for command in cluster["setup_commands"] if "pip install" not in command
    ]
    path = machines.folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(cluster))
    return path


def test_a_cluster_of_machines_that_are_there_goes_up_runs_a_sweep_and_goes_down(
    machines: Machines, tiny_encoder: Path, reviews: Path
) -> None:
    (machines.home("client") / ".ray" / "auth_token").write_text(secrets.token_hex(16))
    file = str(here(machines))
    machines.ray("up", file, "--yes", "--no-config-cache")
    head = machines.home(ADDRESSES[0])
    deadline = time.monotonic() + 180
    while not any("raylet" in p.name() for p in machines.processes(ADDRESSES[1])):
        assert time.monotonic() < deadline, "the autoscaler did not start the worker"
        time.sleep(1)
    assert not list(head.glob("foldrace/**/.git")), "what is excluded stays here"
    shell = Shell(head, tiny_encoder, reviews)
    shown = machines.ray(
        *("submit", file, "search/cli.py", "run", *shell.sweep, "--max-cells", "6"),
        *("--trials", "1", "--ray-address", f"{ADDRESSES[0]}:{machines.port}"),
    )
    assert "cells trained" in shown
    assert len(shell.table()) == 6
    machines.ray("down", file, "--yes")
    left = [p.name() for a in ADDRESSES for p in machines.processes(a) if "raylet" in p.name()]
    assert left == []
