"""The cluster files are ones that Ray's autoscaler accepts, and open nothing to the world."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml

from search.cluster import idle_shutdown, mlflow_server
from search.errors import InputError

ROOT = Path(__file__).parents[3]
FILES = ["cluster.yaml", "tests/integration/cluster/local-cluster.yaml"]


def read(name: str) -> dict[str, Any]:
    cluster: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return cluster


def commands(cluster: dict[str, Any]) -> list[str]:
    found = [one for key in sorted(cluster) if key.endswith("_commands") for one in cluster[key]]
    assert len(found) > 5
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_validates_against_rays_own_schema(name: str) -> None:
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    cluster = read(name)
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]


@pytest.mark.parametrize("name", FILES)
def test_dashboards_stay_on_the_loopback_and_tokens_are_on(name: str) -> None:
    found = commands(read(name))
    starts = [one for one in found if "ray start" in one]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in one for one in starts)
    (head,) = (one for one in starts if "--head" in one)
    assert "--dashboard-host=127.0.0.1" in head
    assert not any("0.0.0.0" in one for one in found)


@pytest.mark.parametrize("name", FILES)
def test_commands_are_ones_that_a_shell_reads_and_install_the_pins(name: str) -> None:
    found = commands(read(name))
    for one in found:
        subprocess.run(["bash", "-n", "-c", one], check=True)
    (install,) = (one for one in found if "pip install" in one)
    assert "--constraint constraints.txt" in install


def test_on_aws_the_head_is_small_workers_come_and_go_and_data_stay_at_home() -> None:
    cluster = read("cluster.yaml")
    kinds = cluster["available_node_types"]
    assert kinds["head"]["resources"] == {"CPU": 0}
    assert kinds["gpu"]["min_workers"] == 0
    assert kinds["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert cluster["idle_timeout_minutes"] <= 30
    assert kinds["head"]["node_config"]["InstanceInitiatedShutdownBehavior"] == "stop"
    assert cluster["provider"]["cache_stopped_nodes"] is True, "a stopped head keeps its ledger"
    assert {"**/.git", "**/*.csv", "**/mlflow.db*"} <= set(cluster["rsync_exclude"])


def test_passwords_are_drawn_fresh_and_reach_neither_command_line_nor_readable_file(
    tmp_path: Path,
) -> None:
    text = mlflow_server.passwords()
    assert text != mlflow_server.passwords()
    environment = dict(line.split("=", 1) for line in text.splitlines())
    words, given = mlflow_server.command(environment, tmp_path / "m", 5000, "127.0.0.1:5432")
    secrets = [value for name, value in environment.items() if "USERNAME" not in name]
    assert not any(secret in word for secret in secrets for word in words)
    assert environment["FOLDRACE_DATABASE_PASSWORD"] in given["MLFLOW_BACKEND_STORE_URI"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert (tmp_path / "m" / "basic_auth.ini").stat().st_mode & 0o077 == 0
    assert f"PASSWORD '{environment['FOLDRACE_DATABASE_PASSWORD']}'" in mlflow_server.sql(given)


@pytest.mark.parametrize("password", ["", "x'; DROP TABLE runs; --", "a b"])
def test_a_password_that_sql_or_a_uri_could_trip_over_is_refused(password: str) -> None:
    with pytest.raises(InputError, match="letters, digits"):
        mlflow_server.sql({"FOLDRACE_DATABASE_PASSWORD": password})


def test_the_head_sleeps_after_an_unbroken_hour_without_a_job() -> None:
    polls: list[bool] = [False] * 100 + [True] + [False] * 120
    waited: list[float] = []
    idle_shutdown.wait_for_idleness(lambda: polls.pop(0), 3600, waited.append)
    assert not polls, "the job in between starts the hour anew"
    assert sum(waited) == pytest.approx(30 * 221)
    assert re.search(
        r"search\.cluster\.idle_shutdown --minutes 60 -- sudo shutdown",
        "\n".join(commands(read("cluster.yaml"))),
    )
