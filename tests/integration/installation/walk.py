"""The wheel in an environment of its own, from `pip install` to a report and a submitted job.

`make wheel` runs this. No checkout is near: the commands run in an empty folder, with an empty
home. It needs a network to install from.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fresh_environment import ROOT, FreshEnvironment

# The sample of `make sweep`, cut down.
_SAMPLE = ("linear_grid", "--data", "election-tweets", "--subset", "120", "--model", "minilm")
_SMALL = ("--seeds", "2", "--folds", "2", "--name", "walk")


def main() -> int:
    """Exit code: 0 if every step did what it should."""
    with tempfile.TemporaryDirectory(prefix="foldrace-walk-") as folder:
        place = Path(folder)
        environment = FreshEnvironment(place / "environment")
        environment.pip("wheel", str(ROOT), "--no-deps", "--wheel-dir", str(place / "dist"))
        (wheel,) = (place / "dist").glob("foldrace-*.whl")
        pins = str(ROOT / "constraints.txt")
        seconds = environment.pip("install", "--constraint", pins, f"{wheel}[sample]")
        _say(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MiB, installed in {seconds:.0f} s")
        _walk(environment, place)
    _say("The wheel runs the sample, its report and a job on a cluster, with no checkout near.")
    return 0


def _walk(environment: FreshEnvironment, place: Path) -> None:
    empty, home = place / "empty", place / "home"
    empty.mkdir()
    home.mkdir()
    token = home / "token"
    token.write_text(secrets.token_hex(16), encoding="ascii")
    token.chmod(0o600)
    more = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
    }

    def foldrace(*words: str) -> str:
        began = time.monotonic()
        said = environment.run("foldrace", *words, cwd=empty, more=more)
        _say(f"foldrace {' '.join(words)}: {time.monotonic() - began:.0f} s")
        return said

    _say(foldrace("--version").strip())
    sweep = json.loads(foldrace("run", *_SAMPLE, *_SMALL, "--json"))
    _must(sweep["cells_done"] > 0 == sweep["cells_failed"], f"{sweep['cells_done']} cells")
    again = json.loads(foldrace("run", *_SAMPLE, *_SMALL[:-1], "again", "--json"))
    _must(again["cells_reused"] == again["cells_done"], "the second sweep trained nothing")
    foldrace("report", "walk", "--out", "report")
    page = (empty / "report" / "report.html").read_text(encoding="utf-8")
    _must("<svg" in page or "<img" in page, "the report has figures")
    with _cluster(environment, more) as address:
        jobs = ("submit", "--address", address, "--folder", str(empty))
        job = ("--", "run", *_SAMPLE, *_SMALL[:-1], "submitted", "--json")
        log = _once_it_takes_jobs(lambda: foldrace(*jobs, *job))
        _must('"cells_failed": 0' in log, "the job ran the sweep")
        _must("SUCCEEDED" in foldrace(*jobs, "status"), "the cluster says so, too")


def _once_it_takes_jobs(submit: Callable[[], str]) -> str:
    """Submit a job; a dashboard answers before its node has somebody to run one."""
    deadline = time.monotonic() + 180
    while True:
        try:
            return submit()
        except SystemExit as refused:
            if "No available agent" not in str(refused) or time.monotonic() > deadline:
                raise
        time.sleep(2)


@contextlib.contextmanager
def _cluster(environment: FreshEnvironment, more: dict[str, str]) -> Iterator[str]:
    """A Ray head on the loopback, of the same environment; the address of its dashboard."""
    port, dashboard = _free_port(), _free_port()
    words = ["start", "--head", "--node-ip-address", "127.0.0.1", "--port", str(port)]
    words += ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard)]
    words += ["--num-cpus", str(os.cpu_count()), "--disable-usage-stats", "--block"]
    words += ["--temp-dir", tempfile.mkdtemp(prefix="fw", dir=Path(more["HOME"]).parent)]
    # Another Ray on this machine has the usual ones, and no agent starts without.
    for name in ("dashboard-agent-listen", "dashboard-agent-grpc", "metrics-export"):
        words += [f"--{name}-port", str(_free_port())]
    log = Path(more["HOME"], "head.log")
    head = environment.start("ray", *words, more=more, log=log)
    try:
        address = f"http://127.0.0.1:{dashboard}"
        deadline = time.monotonic() + 180
        while not _answers(dashboard):
            if time.monotonic() > deadline or head.poll() is not None:
                _say(log.read_text(encoding="utf-8", errors="replace")[-2_000:])
                raise SystemExit("NOT SO: the cluster starts")
            time.sleep(1)
        yield address
    finally:
        head.terminate()
        head.wait(60)


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _must(true: bool, what: str) -> None:
    if not true:
        raise SystemExit(f"NOT SO: {what}")
    _say(f"  {what}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
