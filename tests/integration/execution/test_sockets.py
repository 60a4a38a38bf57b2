"""Ports that a sweep on one machine opens: only those who know the token are answered."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import ray

from search.errors import SweepError
from search.execution.nodes import session
from search.process import ray_home

pytestmark = pytest.mark.integration

_STRANGER = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False)
print("let in", ray.cluster_resources())
"""

_ANSWER = re.compile("let in|Unauthenticated|InvalidAuthToken|AuthenticationError")


def listening(process: psutil.Process) -> dict[tuple[str, int], str]:
    """Addresses on which a process and its children listen, with their programs."""
    return {
        (connection.laddr.ip, connection.laddr.port): owner.name()
        for owner in (process, *process.children(recursive=True))
        for connection in owner.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_a_stranger_is_refused_at_every_open_port(tmp_path: Path) -> None:
    ray.shutdown()  # another test's, whose ports would count as open before
    before = set(listening(psutil.Process()))
    with session("local"):
        assert os.environ["RAY_AUTH_MODE"] == "token"
        opened = {at: name for at, name in listening(psutil.Process()).items() if at not in before}
        assert opened, "Ray listens somewhere: if it does no more, this test looks at nothing"
        address = ray.get_runtime_context().gcs_address
        assert any(port == int(address.rpartition(":")[2]) for _, port in opened)
        hidden = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE")
        stranger = {name: value for name, value in os.environ.items() if name not in hidden}
        stranger["HOME"] = str(tmp_path)
        for mode in ("disabled", "token"):
            asks = subprocess.Popen(
                [sys.executable, "-c", _STRANGER, address],
                env={**stranger, "RAY_AUTH_MODE": mode},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            # It is told so, and would ask again for minutes.
            assert asks.stdout is not None
            told = next((line for line in asks.stdout if _ANSWER.search(line)), "no answer")
            asks.kill()
            asks.communicate()
            assert "let in" not in told
            assert told != "no answer"


def test_the_token_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    ray_home.ensure_token()
    file = tmp_path / ".ray/auth_token"
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text()
    assert len(first) == 64
    file.chmod(0o644)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray_home.ensure_token()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == first
    assert "RAY_AUTH_MODE" not in os.environ, "then Ray's default holds, which is to ask"
    with pytest.raises(SweepError, match="RAY_AUTH_MODE=token"):
        ray_home.check_token()
