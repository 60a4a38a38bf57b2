"""`foldrace ui`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from search.commands._options import add_ledger

PLACE = 100
SUMMARY = "Open the MLflow UI on the ledger."
EXAMPLES = """\
examples:
  foldrace ui
  foldrace ui --port 5001
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--port", type=int, default=5000, help="port to listen on (5000)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)"
    )
    add_ledger(parser)


def run(options: argparse.Namespace) -> int:
    """MLflow's own UI, on this machine's loopback unless another host is asked for."""
    from search.options import tracking_uri

    uri = tracking_uri(options)
    if uri.startswith(("http://", "https://")):
        sys.stdout.write(f"The MLflow UI of this ledger is at {uri}\n")
        return 0
    from search import console
    from search.spec import InputError
    from search.tracking_uri import sqlite_file

    file = sqlite_file(uri)
    if file is not None and not file.exists():
        raise InputError(f"There is no ledger {file} yet: `foldrace run` makes one.")
    console.say(f"MLflow UI on http://{options.host}:{options.port} - Ctrl-C ends it")
    command = [sys.executable, "-P", "-m", "mlflow", "ui", "--backend-store-uri", uri]
    server = [*command, "--host", options.host, "--port", str(options.port)]
    # A file mlflow.py in this folder is none of ours.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    return subprocess.run(server, env=environment, check=False).returncode
