"""`ray up`, `ray submit` and `ray down` with local-cluster.yaml, over ssh to the loopback."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.integration.cluster.loopback_machines import ADDRESSES, Machines
from tests.integration.sweep_shell import Shell

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


def raylets(machines: Machines, address: str) -> list[psutil.Process]:
    found = []
    for process in machines.processes(address):
        with contextlib.suppress(psutil.Error):
            if "raylet" in process.name():
                found.append(process)
    return found


def eventually(holds: Callable[[], bool], message: Callable[[], str], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, message()
        time.sleep(1)


def test_a_cluster_of_machines_that_are_there_goes_up_runs_a_sweep_and_goes_down(
    machines: Machines, tiny_encoder: Path, reviews: Path
) -> None:
    (machines.home("client") / ".ray" / "auth_token").write_text(secrets.token_hex(16))
    file = str(here(machines))
    machines.ray("up", file, "--yes", "--no-config-cache")
    head = machines.home(ADDRESSES[0])
    eventually(lambda: bool(raylets(machines, ADDRESSES[1])), machines.autoscaler_log)
    assert not list(head.glob("foldrace/**/.git")), "what is excluded stays here"
    shell = Shell(head, tiny_encoder, reviews)
    shown = machines.ray(
        *("submit", file, "search/cli.py", "run", *shell.sweep, "--max-cells", "6"),
        *("--trials", "1", "--ray-address", f"{ADDRESSES[0]}:{machines.port}"),
    )
    assert "cells trained" in shown
    assert len(shell.table()) == 6
    machines.ray("down", file, "--yes")
    assert not raylets(machines, ADDRESSES[0])
    # Machines that are there already are not switched off: a worker ends a minute after its head.
    eventually(lambda: not raylets(machines, ADDRESSES[1]), lambda: "the worker's raylet is left")
