"""`foldrace submit`: a sweep as a Ray job on a cluster.

The job's driver runs on the head node, in a folder of its own that outlasts the job, so that what
MLflow does not have yet is delivered by the next one. Passwords never enter a job's description,
which everyone with access to the cluster can read: the head's own environment holds them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.cluster import packaging
from search.cluster.options import FOLDER, MOST_MIB
from search.errors import FoldraceError, InputError, SweepError
from search.process import installation
from search.redaction import holds_secret
from search.spec import sweep_file
from search.spec.arguments import Parse

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

_SECONDS_TO_STOP = 60
# Extras that a sweep may train with: the nodes get those that are installed here.
_TRAVELLING = ("sample", "lora", "vectors")
_POLL_S = 1.0


def client_of(address: str) -> JobSubmissionClient:
    """A connection to a cluster's dashboard; tokens come from the environment.

    Raises:
        SweepError: if nobody answers there, or the token is refused.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.job_submission import JobSubmissionClient

    with answers(address):
        return JobSubmissionClient(address)


@contextlib.contextmanager
def answers(address: str) -> Iterator[None]:
    """Turn Ray's errors into messages on what to look at."""
    try:
        yield
    except FoldraceError:
        raise
    except Exception as error:  # of a dozen kinds: requests', aiohttp's, Ray's own
        text = str(error).strip().splitlines()
        why = next((line for line in text if line.strip()), type(error).__name__)
        raise SweepError(
            f"The cluster at {address} does not do it: {why} Is the dashboard reachable "
            "(`ray dashboard cluster.yaml`, or an ssh tunnel), and RAY_AUTH_TOKEN set where it "
            "wants one?"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Job:
    """Command, files and options that are sent to a cluster.

    `foldrace submit --help` explains the last three.
    """

    id: str
    words: Sequence[str]
    attached: Mapping[str, Path]
    folder: str = FOLDER
    install: bool = True
    most_mib: float = MOST_MIB


def send(client: JobSubmissionClient, job: Job) -> float:
    """Pack the code and start a job; the MiB that were sent.

    Raises:
        InputError: if the package cannot be made, or is too large.
        SweepError: if the cluster does not take it: no answer, no token, an id that it has.
    """
    code = packaging.root()
    with tempfile.TemporaryDirectory(prefix="foldrace-package-") as package:
        mib = packaging.pack(
            Path(package),
            job.attached,
            folder=code,
            most_mib=job.most_mib,
            pinned=job.install,
        )
        with answers(str(client.get_address())):
            client.submit_job(
                entrypoint=entrypoint(job.words, job.folder),
                submission_id=job.id,
                runtime_env=runtime_environment(package, code, install=job.install),
                metadata={"foldrace": shlex.join(job.words)},
            )
    return mib


def jobs(address: str, prefix: str) -> dict[str, str]:
    """The status of each job whose id begins so, by id."""
    with answers(address):
        details = client_of(address).list_jobs()
    ids = {str(job.submission_id): str(job.status.value) for job in details}
    return {job: status for job, status in ids.items() if job.startswith(prefix)}


def command(words: Sequence[str], parse: Parse) -> tuple[list[str], dict[str, Path]]:
    """Command for the head node, and the files that travel with it.

    Args:
        words: As typed: run, plan or resume, with their options.
        parse: Parser of the command line.

    Raises:
        InputError: for options that cannot work there: a relative path of data or of a model, a
            password in a URI.
        SystemExit: for options that do not parse, with exit code 2.
    """
    options = parse(words)
    sent = list(words)
    attached: dict[str, Path] = {}
    here = os.environ.get("MLFLOW_TRACKING_URI", "")
    typed = options.tracking_uri is not None
    if holds_secret(options.tracking_uri if typed else here):
        raise InputError(
            "A job's command can be read by everyone with access to the cluster, so no password "
            f"may stand in {'--tracking-uri' if typed else 'MLFLOW_TRACKING_URI'}: give the "
            "address without it, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or "
            "MLFLOW_TRACKING_TOKEN) where the head node is started."
        )
    if options.ray_address in (None, "local"):
        sent += ["--ray-address", "auto"]
    if not typed and re.fullmatch(r"https?://[^@]+", here):
        sent += ["--tracking-uri", here]
    if options.command == "resume":
        return sent, attached
    written = _sweep_file(options.space)
    _check_paths(options, written)
    travelling = [("--plugin", options.plugin), ("--configs", options.configs)]
    for option, value in travelling:
        if value is None or not Path(value).is_file():
            continue
        place = _attach(attached, value)
        for number, word in enumerate(sent):
            if word == value and sent[number - 1] == option:
                sent[number] = place
            elif word == f"{option}={value}":
                sent[number : number + 1] = [option, place]
    own = options.space is not None and options.space.endswith(".py")
    if (written or own) and Path(options.space).is_file():
        # Its own word is the one that no option takes.
        (number, *_) = [
            number
            for number, word in enumerate(sent)
            if word == options.space and not _taken(sent[number - 1])
        ]
        sent[number] = _attach(attached, options.space)
    return sent, attached


def _attach(attached: dict[str, Path], value: str) -> str:
    """Let a file travel; returns its place in the package."""
    path = Path(value)
    if attached.setdefault(path.name, path) != path:
        raise InputError(
            f"{attached[path.name]} and {path} travel into one folder: give one another name."
        )
    return f"{packaging.ATTACHED}/{path.name}"


def _taken(word: str) -> bool:
    """Tell if a word is an option that takes a name."""
    return word in ("--plugin", "--configs", "--data", "--model", "--name")


def _check_paths(options: argparse.Namespace, written: Mapping[str, Any]) -> None:
    """Refuse relative paths of data and models: they stay here."""
    for option, value in (
        ("--data", options.data or written.get("data", {}).get("name")),
        ("--model", options.model or written.get("model")),
    ):
        if value is None:
            continue
        path = Path(value).expanduser()
        if path.exists() and not path.is_absolute() and (path.suffix or os.sep in value):
            raise InputError(
                f"{option} {value} is on this machine, and data do not travel with a job: put it "
                "where all nodes can read it, and give that absolute path."
            )


def _sweep_file(word: str | None) -> dict[str, Any]:
    """Fields of a sweep's file; none for another word.

    Raises:
        InputError: if it names files beside it, which are not there on the head node.
    """
    if word is None or not sweep_file.is_sweep_file(word):
        return {}
    fields = sweep_file.read(Path(word), from_here=False)
    for name in ("plugin", "configs"):
        value = fields.get(name)
        if value is not None and Path(word).parent.joinpath(value).is_file():
            raise InputError(
                f"{word} names {value} of this machine: type --{name} {value}, which travels."
            )
    return fields


def entrypoint(words: Sequence[str], folder: str) -> str:
    """Shell line for the head node, run in a lasting folder.

    A driver that Ray brings down leaves its last lines in the log.
    """
    inside = f"{packaging.ATTACHED}/"
    quoted = " ".join(
        f'"$code"/{shlex.quote(word)}' if word.startswith(inside) else shlex.quote(word)
        for word in words
    )
    home = folder.startswith("~/")
    place = f'"$HOME"/{shlex.quote(folder[2:])}' if home else shlex.quote(folder)
    return (
        f'code="$PWD"; mkdir -p {place} && cd {place} && '
        f'PYTHONFAULTHANDLER=1 PYTHONPATH="$code" exec python -P -m search.cli {quoted}'
    )


def runtime_environment(package: str, folder: Path, *, install: bool) -> dict[str, Any]:
    """Runtime environment that Ray sets up for the job's processes.

    Args:
        package: Folder with what `packaging.pack` copied.
        folder: Checkout or folder of installed packages that `packaging.pack` copied from.
        install: True to install the pins; nodes that have them take a minute.
    """
    environment: dict[str, Any] = {
        "working_dir": package,
        # A stopped sweep delivers what it has, as after Ctrl-C.
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_SECONDS_TO_STOP)},
    }
    here = installation.find(folder) if install else None
    if here is not None:
        pins = f"--constraint ${{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}}/{installation.PINS}"
        lines = [*here.requirements, *here.installed_of(_TRAVELLING)]
        environment["pip"] = {"packages": [pins, *lines], "pip_check": False}
    return environment


def follow(client: JobSubmissionClient, job: str) -> int:
    """Show a job's log until it ends; its exit code."""

    async def stream() -> None:
        async for text in client.tail_job_logs(job):
            sys.stdout.write(text)
            sys.stdout.flush()

    # The connection may break; the job does not, and its end is asked for apart.
    with contextlib.suppress(OSError, RuntimeError):
        asyncio.run(stream())
    ended = ended_job(client, job)
    if ended.driver_exit_code is None:
        raise SweepError(f"Job {job} ended as {ended.status.value}: {ended.message}")
    return int(ended.driver_exit_code)


def ended_job(client: JobSubmissionClient, job: str) -> JobDetails:
    """Wait until a job has ended; returns its details."""
    with answers(str(client.get_address())):
        while not (details := client.get_job_info(job)).status.is_terminal():
            time.sleep(_POLL_S)
    return details
