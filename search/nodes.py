"""What must hold before a sweep starts on a cluster: it answers, its nodes have what they need."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.spec import InputError

_ANSWERS_WITHIN_S = 10.0


def check_address(address: str) -> None:
    """Find out in seconds that no cluster is there: Ray itself goes on trying for many minutes.

    Args:
        address: Of a cluster; "local" and "auto", which Ray looks up on this machine, pass.

    Raises:
        InputError: if it is no address, or nothing answers at it.
    """
    if address in ("local", "auto"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"--ray-address must be local, auto or HOST:PORT, got {address!r}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"No Ray cluster answers at {address} ({error}). Give --ray-address what `ray start "
            "--head` printed there, or auto on one of its nodes."
        ) from error


def check_nodes(task: Mapping[str, Any], plugin: tuple[str, str] | None, cpus: float) -> None:
    """Let every node that may train read the data and the weights, before any cell is trained.

    Data come from storage that all nodes share, or lie at the same path on each: nothing is sent.
    A node that joins later checks itself when it gets its first stack.

    Args:
        task: A `contract.Task` as JSON.
        plugin: Name and text of the user's Python file.
        cpus: Of a trial; smaller nodes train nothing.

    Raises:
        InputError: naming each node that has other data or weights, with both fingerprints.
    """

    def look(task: Mapping[str, Any], plugin: tuple[str, str] | None) -> str | None:
        from search.plugged import load_text
        from trainables.engine import runner
        from trainables.engine.contract import Task

        try:
            load_text(plugin)
            runner.check(Task.from_json(task))
        except ValueError as error:
            return f"{type(error).__name__}: {error}"
        return None

    remote = ray.remote(num_cpus=0, max_retries=1)(look)
    asked = {
        str(node["NodeManagerAddress"]) + "/" + str(node["NodeID"])[:8]: remote.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(task, plugin)
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0.0) >= cpus
    }
    faults = []
    for node, answer in asked.items():
        try:
            fault = ray.get(answer)
        except ray.exceptions.RayError as error:
            fault = f"does not answer: {str(error).splitlines()[0]}"
        if fault is not None:
            faults.append(f"node {node}: {fault}")
    if faults:
        raise InputError("Not every node can train this sweep:\n" + "\n".join(faults))
