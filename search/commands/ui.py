"""`foldrace ui`."""

from __future__ import annotations

import argparse
import os
import sys

from search.commands._options import add_ledger, add_server

SUMMARY = "Open the MLflow UI on the ledger."
EXAMPLES = """\
examples:
  foldrace ui
  foldrace ui --port 5001
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_server(parser, 5000)
    add_ledger(parser)


def run(options: argparse.Namespace) -> int:
    """Serve MLflow's UI, on the loopback unless another host is given."""
    from search.console import output
    from search.console.runs_page import runs_page
    from search.process.child_server import check_place, serve_until_ended
    from search.spec.arguments import tracking_uri
    from search.tracking.open import open_ledger

    uri = tracking_uri(options)
    check_place(options.host, options.port)
    with open_ledger(uri, options.experiment) as ledger:
        number = ledger.experiment_id()

    def page(server: str) -> str:
        return server if number is None else runs_page(server, number)

    if uri.startswith(("http://", "https://")):
        sys.stdout.write(f"The MLflow UI of this ledger is at {page(uri)}\n")
        return 0

    def ready() -> None:
        sys.stdout.write(f"Open {page(f'http://{options.host}:{options.port}')}\nCtrl-C ends it.\n")
        sys.stdout.flush()

    output.say("starting MLflow's UI ...")
    command = [sys.executable, "-P", "-m", "mlflow", "ui", "--backend-store-uri", uri]
    # One worker and no runner of jobs: two processes instead of fifteen.
    server = [*command, "--host", options.host, "--port", str(options.port), "--workers", "1"]
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONSAFEPATH": "1",  # a file mlflow.py in this folder is none of ours
    }
    return serve_until_ended(server, environment, options.host, options.port, ready)
