"""A Ray cluster of several nodes on this machine's loopback, with token authentication on."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

_MOST_RESTARTS = 5
_ROOT = Path(__file__).parents[3]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Node:
    """`ray start --block`, and all that it started, to be ended without touching anyone else's."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, temp: Path
    ) -> None:
        self.log, self.temp = log, temp
        self._command, self._environment = command, environment
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("w") as file:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def start_again(self) -> None:
        """Once more, after it has ended."""
        self.process = self._started()

    def processes(self) -> list[psutil.Process]:
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """As a machine that loses its power."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        self.process.wait()


class LoopbackCluster:
    """A head without CPUs for trials, and nodes of one CPU each.

    Args:
        environment: More variables for all nodes.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        # Short: sockets of Ray lie below it, and their paths may have 107 characters.
        self.temp = Path(tempfile.mkdtemp(prefix="fr", dir="/tmp"))
        token = self.temp / "token"
        token.write_text(secrets.token_hex(16))
        token.chmod(0o600)
        self.port, self.dashboard, self.client = free_ports(3)
        self.url = f"http://127.0.0.1:{self.dashboard}"
        # Not 127.0.0.1, for which Ray takes the machine's own address.
        self.address = f"127.0.0.2:{self.port}"
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        self._environment = {
            **os.environ,
            **self.token,
            "PYTHONPATH": str(_ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_USAGE_STATS_ENABLED": "0",
            **(environment or {}),
        }
        self.nodes: list[Node] = []

    def start_head(self) -> Node:
        return self._start(
            "--head",
            f"--port={self.port}",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self.dashboard}",
            f"--ray-client-server-port={self.client}",
            "--num-cpus=0",
        )

    def start_node(self, prefix: Sequence[str] = ()) -> Node:
        return self._start(f"--address={self.address}", "--num-cpus=1", prefix=prefix)

    def _start(self, *options: str, prefix: Sequence[str] = ()) -> Node:
        temp = self.temp / str(len(self.nodes))
        names = ("dashboard-agent-listen", "dashboard-agent-grpc", "metrics-export")
        ports = [f"--{n}-port={p}" for n, p in zip(names, free_ports(3), strict=True)]
        command = [*prefix, sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        command += [f"--node-ip-address=127.0.0.{2 + len(self.nodes)}"]
        command += ["--object-store-memory=100000000"]
        command += [f"--temp-dir={temp}", "--disable-usage-stats", *ports, *options]
        log = self.temp / f"{len(self.nodes)}.log"
        self.nodes.append(Node(command, self._environment, log, temp))
        return self.nodes[-1]

    def wait(self, seconds: float = 400) -> None:
        """Until all nodes are part of the cluster.

        A node that is not up in 30 s gives up, and cannot be told to wait: on a machine that others
        keep busy it is started again.
        """
        deadline = time.monotonic() + seconds
        found, restarts = "", 0
        while time.monotonic() < deadline and restarts <= _MOST_RESTARTS:
            for node in self.nodes:
                if node.process.poll() is not None:
                    restarts += 1
                    node.kill()
                    node.start_again()
            done = subprocess.run(
                [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", self.address],
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
            )
            found = done.stdout + done.stderr
            if found.count(" 1 node_") == len(self.nodes):
                return
            time.sleep(1)
        logs = "\n".join(node.log.read_text()[-2000:] for node in self.nodes)
        raise TimeoutError(f"no cluster of {len(self.nodes)} nodes:\n{found}\n{logs}")

    def end(self) -> None:
        for node in reversed(self.nodes):
            node.kill()
        shutil.rmtree(self.temp, ignore_errors=True)
