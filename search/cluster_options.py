"""The options of `foldrace submit` and `foldrace schedule`; imports nothing heavy."""

from __future__ import annotations

import argparse
import os

SUBMIT_EXAMPLES = """\
examples:
  foldrace submit --address http://HEAD:8265 -- run softtriple --data trec-1k --model roberta-base
  foldrace submit --address http://HEAD:8265 --no-wait -- resume latest
  foldrace submit --address http://HEAD:8265 status             all jobs of foldrace
  foldrace submit --address http://HEAD:8265 logs JOB           follow its log to its end
  foldrace submit --address http://HEAD:8265 stop JOB           `resume` goes on later
A cluster with token authentication: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.
"""

SCHEDULE_EXAMPLES = """\
examples:
  foldrace schedule sweeps.toml                     start what is due, again and again
  foldrace schedule sweeps.toml --once              one tick: for cron, systemd, Kubernetes
  foldrace schedule sweeps.toml --emit systemd      the units that call it
"""

SENT = ("run", "plan", "resume")
ASKED = ("status", "logs", "stop")
FOLDER = "~/foldrace-sweeps"
MOST_MIB = 20.0
CALLERS = ("cron", "systemd", "kubernetes")


def add_submit(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--address",
        metavar="URL",
        default=os.environ.get("RAY_API_SERVER_ADDRESS"),
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
        type=float,
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


def add_schedule(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", help="a TOML file of sweeps with cron expressions")
    parser.add_argument("--once", action="store_true", help="one tick, then end")
    parser.add_argument("--emit", choices=CALLERS, help="print what calls the tick; start nothing")
    parser.add_argument("--image", default="foldrace:latest", help="of the container, with --emit")
    parser.add_argument("--tracking-uri", metavar="URI", help="in place of the file's")
    parser.add_argument("--fire", metavar="NAME@TIME", help="this firing of this sweep only")
