"""A Ray for a sweep: its own, or a cluster."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.errors import FoldraceError, InputError, SweepError
from search.process import own_code, ray_home
from search.process.environment import usable_cpus

_ANSWERS_WITHIN_S = 10.0


class _NoFolderOfTheDriver(JobConfig):
    """Job config without the driver's folders.

    Workers look modules up where they are told to: Ray lets the driver's folders go first.
    """

    def _serialize(self) -> str:
        self._py_driver_sys_path = []
        text: str = super()._serialize()
        return text


@contextmanager
def session(address: str) -> Iterator[None]:
    """Connect to a Ray of the sweep's own, or to a cluster.

    One that this process has already is kept.

    Args:
        address: "local" for its own, else as `check_address`.

    Raises:
        InputError: if there is no cluster, or no folder that Ray can keep its session in.
        SweepError: if its own does not start.
    """
    if ray.is_initialized():
        yield
        return
    check_address(address)
    on_term = signal.getsignal(signal.SIGTERM)
    with ray_home.attended() as attendance:
        try:
            with attendance.starting():
                _start(attendance) if address == "local" else _connect(address)
            if threading.current_thread() is threading.main_thread():
                # Ray's own handler kills the driver on the spot; a sweep ends as on Ctrl-C.
                signal.signal(signal.SIGTERM, on_term)
            yield
        finally:
            ray.shutdown()


def _connect(address: str) -> None:
    own: dict[str, Any] = (
        {} if address.startswith("ray://") else {"job_config": _NoFolderOfTheDriver()}
    )
    try:
        ray.init(address=address, **own, **_settings())
    except ConnectionError as error:
        raise InputError(
            f"--ray-address {address}: no Ray cluster was found. `ray start --head` starts one; "
            "without --ray-address a sweep has its own."
        ) from error


def _start(attendance: ray_home.Attendance) -> None:
    folder = ray_home.temp_dir()
    ray_home.ensure_token()
    for last in (False, True):
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                num_cpus=usable_cpus(),
                _temp_dir=folder,
                job_config=_NoFolderOfTheDriver(),
                **_settings(),
            )
            ray_home.check_token()
            return
        except Exception as error:  # its start has a time limit, which a laptop's sleep exceeds
            ray.shutdown()
            attendance.end_all()
            if last:
                raise SweepError(
                    f"Ray did not start, tried twice: {str(error).strip() or repr(error)} Its logs "
                    f"are in {folder}/session_latest/logs."
                ) from error


def _settings() -> dict[str, Any]:
    return {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": _worker_environment()},
    }


def _worker_environment() -> dict[str, str]:
    """Variables that workers must have, wherever they run."""
    # Tune trains each trial in a new thread, and glibc gives each thread an arena that it keeps: a
    # worker of MiniLM cells grew from 2 to 4.4 GB in ten trials. One arena stays at 0.6 GB.
    environment = {"MALLOC_ARENA_MAX": "1", "TOKENIZERS_PARALLELISM": "false"}
    for name in ("FOLDRACE_DATA", "FOLDRACE_CACHE"):
        if name in os.environ:
            environment[name] = str(Path(os.environ[name]).absolute())
    return environment


def check_address(address: str) -> None:
    """Refuse a cluster that does not answer within seconds.

    Ray itself goes on trying for many minutes.

    Args:
        address: Address of a cluster; "local" and "auto", which Ray looks up on this machine, pass.

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


def look(task: Mapping[str, Any], plugin: tuple[str, str] | None) -> str | None:
    """Reason why this node cannot train a task; None if it can.

    Runs on the node.
    """
    from search.execution.plugin import load_text
    from trainables.engine.cells import runner
    from trainables.engine.contract import Task

    try:
        load_text(plugin)
        runner.check(Task.from_json(task))
    except FoldraceError as error:
        return f"{type(error).__name__}: {error}"
    return None


def check_nodes(task: Mapping[str, Any], plugin: tuple[str, str] | None, cpus: float) -> None:
    """Let every node that may train read the data and weights first.

    Data come from storage that all nodes share, or lie at the same path on each: nothing is sent.
    A node that joins later checks itself when it gets its first stack.

    Args:
        task: A `contract.Task` as JSON.
        plugin: Name and text of the user's Python file.
        cpus: CPUs of a trial; smaller nodes train nothing.

    Raises:
        InputError: naming each node that has other code, data or weights, with both fingerprints.
    """
    carried = own_code.carried(
        "search.execution.nodes:look", lambda fault: fault, same_machine=False
    )
    remote = ray.remote(num_cpus=0, max_retries=1)(carried)
    answers = {
        str(node["NodeManagerAddress"]) + "/" + str(node["NodeID"])[:8]: remote.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(task, plugin)
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0.0) >= cpus
    }
    faults = []
    for node, reply in answers.items():
        try:
            fault = ray.get(reply)
        except ray.exceptions.RayTaskError:
            raise  # a mistake in the code, for which no node is to blame
        except ray.exceptions.RayError as error:
            fault = f"does not answer: {str(error).splitlines()[0]}"
        if fault is not None:
            faults.append(f"node {node}: {fault}")
    if faults:
        raise InputError("Not every node can train this sweep:\n" + "\n".join(faults))
