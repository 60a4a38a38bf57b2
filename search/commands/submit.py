"""`foldrace submit`."""

from __future__ import annotations

import argparse
import os

from search.cluster.options import FOLDER, MOST_MIB, SENT

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


def run(options: argparse.Namespace) -> int:
    """`foldrace submit`."""
    from search.cluster.submit import submit

    return submit(options)
