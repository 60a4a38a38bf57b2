"""`foldrace doctor`."""

from __future__ import annotations

import argparse

from search.commands._options import add_json, add_ledger, print_json

SUMMARY = "Look at ledger, spool, caches, Ray and machine."
EXAMPLES = """\
examples:
  foldrace doctor
  foldrace doctor --tracking-uri http://head:5000
  foldrace doctor --json

It changes nothing. Exit code 1 where there is a fault.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace doctor`; 1 where there is a fault."""
    from search.console import output
    from search.console.findings import show_findings
    from search.doctor.examine import examine
    from search.spec.arguments import tracking_uri

    uri = tracking_uri(options)
    with output.busy("looking"):
        document = examine(uri, options.experiment)
    if options.json:
        print_json(document)
    else:
        show_findings(document)
    return 1 if document["faults"] else 0
