"""`foldrace submit`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Any

from search.checks import bounds
from search.checks.urls import DASHBOARD
from search.cluster.options import ASKED, FOLDER, MOST_MIB, SENT

SUMMARY = "Run a sweep on a Ray cluster, as a job."
EXAMPLES = """\
examples:
  foldrace submit --address http://HEAD:8265 -- run softtriple --data trec-1k --model roberta-base
  foldrace submit --address http://HEAD:8265 --no-wait -- resume latest
  foldrace submit --address http://HEAD:8265 status             all jobs of foldrace
  foldrace submit --address http://HEAD:8265 logs JOB           follow its log to its end
  foldrace submit --address http://HEAD:8265 stop JOB           `resume` goes on later
A cluster with token authentication: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--address",
        metavar="URL",
        type=DASHBOARD,
        default=os.environ.get("RAY_API_SERVER_ADDRESS") or None,
        help="the cluster's dashboard, http://HEAD:8265 ($RAY_API_SERVER_ADDRESS)",
    )
    parser.add_argument("--no-wait", action="store_true", help="print the job's id and leave it")
    parser.add_argument(
        "--no-install",
        action="store_true",
        help="the nodes have the environment (cluster.yaml builds it): install nothing",
    )
    parser.add_argument(
        "--folder",
        default=FOLDER,
        metavar="DIR",
        help=f"the sweep's folder on the head node, kept from job to job ({FOLDER})",
    )
    parser.add_argument(
        "--most-mib",
        type=bounds.MIB,
        default=MOST_MIB,
        metavar="N",
        help=f"refuse to send a larger package ({MOST_MIB:g})",
    )
    parser.add_argument("--json", action="store_true", help="`status` as one JSON document")
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND ...",
        help=f"{', '.join(SENT)} with their options; or status [JOB], logs JOB, stop JOB",
    )


def run(options: argparse.Namespace) -> int:
    """`foldrace submit`."""
    from search.errors import InputError

    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not options.address:
        raise InputError("submit wants --address http://HEAD:8265, or RAY_API_SERVER_ADDRESS.")
    if not words or words[0] not in SENT + ASKED:
        raise InputError(
            f"submit sends {', '.join(SENT)} and answers {', '.join(ASKED)}, got "
            f"{' '.join(words) or 'nothing'}."
        )
    if words[0] in ASKED:
        return _ask(options, words)
    return _send(options, words)


def _ask(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Answer a question about jobs: status, logs or stop."""
    from search.cluster import submit
    from search.errors import InputError

    what, jobs = words[0], words[1:]
    if len(jobs) > 1 or (what != "status" and not jobs):
        raise InputError(f"{what} wants one job's id, got {' '.join(jobs) or 'none'}.")
    client = submit.client_of(options.address)
    if what == "logs":
        return submit.follow(client, jobs[0])
    if what == "stop":
        with submit.answers(options.address):
            client.stop_job(jobs[0])
        return _shown(submit.ended_job(client, jobs[0]), options)
    with submit.answers(options.address):
        details = [client.get_job_info(jobs[0])] if jobs else client.list_jobs()
    if jobs:
        return _shown(details[0], options)
    ours = [job for job in details if "foldrace" in (job.metadata or {})]
    if options.json:
        sys.stdout.write(json.dumps([_plain(job) for job in ours], indent=2) + "\n")
    for job in () if options.json else ours:
        sys.stdout.write(_line(job))
    return 0


def _plain(job: Any) -> dict[str, Any]:
    return {
        "job": job.submission_id,
        "status": str(job.status.value),
        "exit_code": job.driver_exit_code,
        "command": (job.metadata or {}).get("foldrace"),
        "started_ms": job.start_time,
        "ended_ms": job.end_time,
        "message": job.message,
    }


def _line(job: Any) -> str:
    plain = _plain(job)
    code = "" if plain["exit_code"] is None else f" (exit code {plain['exit_code']})"
    return f"{plain['job']}  {plain['status']}{code}  {plain['command']}\n"


def _shown(job: Any, options: argparse.Namespace) -> int:
    sys.stdout.write(json.dumps(_plain(job), indent=2) + "\n" if options.json else _line(job))
    return 0


def _send(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Send a command as a job, and follow its log."""
    from search.cluster import submit

    sent, attached = submit.command(words, options.parse)
    job = f"foldrace-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    client = submit.client_of(options.address)
    mib = submit.send(
        client,
        submit.Job(
            id=job,
            words=sent,
            attached=attached,
            folder=options.folder,
            install=not options.no_install,
            most_mib=options.most_mib,
        ),
    )
    sys.stderr.write(f"job {job}: {mib:.1f} MiB of code sent to {options.address}\n")
    if options.no_wait:
        sys.stdout.write(f"{job}\n")
        return 0
    try:
        return submit.follow(client, job)
    except KeyboardInterrupt:
        me = f"foldrace submit --address {options.address}"
        sys.stderr.write(f"The job goes on: {me} logs {job}; to end it: {me} stop {job}\n")
        raise
