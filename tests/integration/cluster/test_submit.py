"""`foldrace submit` to a real cluster of three nodes with tokens; one of its nodes is killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cluster.ray_nodes import LoopbackCluster, Node
from tests.integration.sweep_shell import Found, Shell, workers_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SECRET = "t0p-s3cret-of-the-head"


@dataclass
class Place:
    """A cluster, a data file that its second node sees with other contents, and who submits."""

    cluster: LoopbackCluster
    shell: Shell
    second: Node
    elsewhere: Path | None

    def submit(self, *words: str, code: int = 0, token: bool = True) -> tuple[str, str]:
        """`foldrace submit`; what it wrote to stdout and stderr."""
        self.shell.more = self.cluster.token if token else {}
        return self.shell.run(
            *("submit", "--address", self.cluster.url, "--no-install"),
            *("--folder", str(self.shell.folder), *words),
            code=code,
        )


def _mounts() -> bool:
    """Whether a process here may have a view of the files of its own."""
    tried = ["unshare", "--mount", "mount", "--bind", "/tmp", "/tmp"]
    return os.geteuid() == 0 and subprocess.run(tried, check=False).returncode == 0


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("submit")
    elsewhere, other = folder / "elsewhere.csv", folder / "other.csv"
    elsewhere.write_text(reviews.read_text())
    other.write_text(reviews.read_text().replace("good", "nice"))
    cluster = LoopbackCluster({"MLFLOW_TRACKING_PASSWORD": SECRET})
    try:
        cluster.start_head()
        cluster.wait()
        cluster.start_node()
        mount = f'mount --bind {other} {elsewhere} && exec "$@"'
        prefix = ["unshare", "--mount", "--", "sh", "-c", mount, "sh"] if _mounts() else []
        second = cluster.start_node(prefix)
        cluster.wait()
        shell = Shell(folder, tiny_encoder, reviews)
        yield Place(cluster, shell, second, elsewhere if prefix else None)
    finally:
        cluster.end()


@pytest.fixture(scope="module")
def first(place: Place) -> tuple[str, dict[str, Found]]:
    """What a submitted sweep showed and left in the ledger."""
    out, err = place.submit("--", "run", *place.shell.sweep, "--name", "first")
    return out + err, place.shell.table()


def test_a_submitted_sweep_shows_its_log_and_its_table_and_ends_with_0(
    place: Place, first: tuple[str, dict[str, Found]]
) -> None:
    shown, table = first
    assert len(table) > 10
    assert "cells trained" in shown
    assert "Stopped because" in shown
    job = re.search(r"job (foldrace-\S+):", shown)
    assert job is not None
    (line,) = json.loads(place.submit("--json", "status")[0])
    assert (line["job"], line["status"], line["exit_code"]) == (job[1], "SUCCEEDED", 0)
    assert SECRET not in json.dumps(line) + shown


OWN = """
AXES = {"p": [0.6, 0.9]}


def train(config, train, test, seed):
    return [[config["p"], 1 - config["p"]]] * len(test)
"""


def test_a_function_of_ones_own_travels_and_can_be_read_afterwards(place: Place) -> None:
    file = place.shell.folder / "travelling.py"
    file.write_text(OWN)
    words = place.shell.sweep[1:7]  # its data and columns
    out, _ = place.submit(
        "--", "run", "travelling.py", *words, "--seeds", "2", "--folds", "2", "--name", "own"
    )
    assert "4 cells trained" in out
    # Neither where it was nor where the job had it.
    file.unlink()
    place.shell.more = {}
    document = place.shell.json("leaderboard", "own")
    assert document["cells_done"] == 4
    assert document["configs"][0]["config"]["p"] in (0.6, 0.9)


def test_bad_input_found_by_the_driver_there_is_exit_code_2_here(place: Place) -> None:
    words = [*place.shell.sweep, "--name", "none"]
    words[words.index("--data") + 1] = "/nowhere/reviews.csv"
    out, _ = place.submit("--", "run", *words, code=2)
    assert "/nowhere/reviews.csv" in out


def test_without_the_token_nothing_is_taken(place: Place) -> None:
    _, err = place.submit("status", code=1, token=False)
    assert "RAY_AUTH_TOKEN" in err


def test_a_job_is_left_looked_at_and_stopped(place: Place) -> None:
    words = [*place.shell.sweep, "--name", "left"]
    words[words.index("--seeds") + 1] = "3,4"  # its cells are not in the ledger
    out, _ = place.submit("--no-wait", "--", "run", *words)
    job = re.search(r"foldrace-[\w-]+", out)
    assert job is not None, out
    left = json.loads(place.submit("--json", "status", job[0])[0])
    assert left["job"] == job[0]
    assert left["status"] in ("PENDING", "RUNNING")
    place.submit("stop", job[0])
    assert json.loads(place.submit("--json", "status", job[0])[0])["status"] == "STOPPED"
    _, err = place.submit("logs", "foldrace-nobody", code=1)
    assert "foldrace-nobody" in err


def test_a_node_with_other_data_is_named_before_anything_is_trained(
    place: Place, first: tuple[str, dict[str, Found]]
) -> None:
    if place.elsewhere is None:
        pytest.skip("no process here may mount: the nodes cannot be given different files")
    words = [*place.shell.sweep, "--name", "torn"]
    words[words.index("--data") + 1] = str(place.elsewhere)
    # The file is the same text at another path here: with seeds of its own its cells are new.
    words[words.index("--seeds") + 1] = "7,8"
    before = place.shell.table()
    out, _ = place.submit("--", "run", *words, code=2)
    assert len(re.findall(r"node 127\.0\.0\.\d/\w+: TaskChangedError", out)) == 1
    assert re.search(r"fingerprint was \w{16}, is \w{16} here", out)
    assert place.shell.table() == before


def test_what_takes_jobs_listens_on_the_loopback_alone(place: Place) -> None:
    # Ray's own ports between nodes are another matter: search/cluster/README.md, "Who may do what".
    port = int(place.cluster.url.rsplit(":", 1)[1])
    found = {
        connection.laddr.ip
        for node in place.cluster.nodes
        for process in node.processes()
        for connection in process.net_connections("tcp")
        if connection.status == "LISTEN" and connection.laddr.port == port
    }
    assert found, "nothing listens there: this guard looks in the wrong place"
    assert all(ip.startswith("127.") or ip == "::1" for ip in found), found


def test_cells_are_spread_and_a_node_that_dies_costs_none(
    place: Place, tmp_path: Path, first: tuple[str, dict[str, Found]]
) -> None:
    """The last test of the file: the cluster has one node fewer afterwards."""
    shell = Shell(tmp_path, Path(place.shell.sweep[8]), Path(place.shell.sweep[2]))
    at = ("submit", "--address", place.cluster.url, "--no-install", "--folder", str(tmp_path))
    shell.more = place.cluster.token
    out, _ = shell.run(
        *(*at, "--no-wait", "--", "run", *shell.sweep, "--stack", "1", "--name", "torn")
    )
    job = re.search(r"foldrace-[\w-]+", out)
    assert job is not None, out
    process = shell.start(*at, "logs", job[0])
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        busy = all(workers_of(node.process.pid) for node in place.cluster.nodes[1:])
        if busy and shell.runs("cells"):
            break
        time.sleep(0.05)
    place.second.kill()
    cells = len(shell.runs("cells"))
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    assert "of 95%" in out or "95% interval" in out
    document = shell.json("leaderboard", "torn")
    assert 0 < cells < document["cells_planned"], "the node died in the middle"
    assert document["cells_failed"] == 0
    assert document["cells_done"] == document["cells_planned"]
    table = shell.table()
    assert set(table) == set(first[1])
