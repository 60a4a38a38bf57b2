"""`foldrace serve`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from search.commands._options import add_ledger, add_server

SUMMARY = "Answer requests with a registered model: MLflow's own server."
EXAMPLES = """\
examples:
  foldrace serve my-sweep
  foldrace serve my-sweep --port 5002
then:
  curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' \\
      -d '{"dataframe_split": {"columns": ["text"], "data": [["a text"]]}}'
The model is loaded with its code: whoever may write to the registry may run code here.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="the registered model; its champion: called as the sweep"
    )
    add_server(parser, 5001)
    add_ledger(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace serve`."""
    from search.console import output
    from search.errors import InputError
    from search.process.child_server import check_place, serve_until_ended
    from search.serving import adapter_base
    from search.serving.registered import champion_of
    from search.spec.arguments import tracking_uri

    uri = tracking_uri(options)
    check_place(options.host, options.port)
    champion = champion_of(uri, options.model)
    if champion is None:
        raise InputError(
            f"No registered model {options.model!r} has the alias champion. Make one with: "
            f"foldrace promote {options.model}"
        )
    adapter_base.check(champion)
    name = f"{champion.name}, version {champion.version}"
    output.say(f"starting a server of {name} ...")
    command = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", champion.uri, "--host", options.host, "--port", str(options.port)]
    # MLflow starts uvicorn by its name: that of this environment, activated or not.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": uri, "PYTHONSAFEPATH": "1"}
    server = [*command, "--workers", "1"]
    place = f"http://{options.host}:{options.port}/invocations"
    return serve_until_ended(
        server,
        environment,
        options.host,
        options.port,
        ready=lambda: output.say(f"{name}, on {place} - Ctrl-C ends it"),
    )
