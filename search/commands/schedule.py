"""`foldrace schedule`."""

from __future__ import annotations

import argparse

from search.schedule.emit import CALLERS

SUMMARY = "Start sweeps when they are due."
EXAMPLES = """\
examples:
  foldrace schedule sweeps.toml                     start what is due, again and again
  foldrace schedule sweeps.toml --once              one tick: for cron, systemd, Kubernetes
  foldrace schedule sweeps.toml --emit systemd      the units that call it
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", help="a TOML file of sweeps with cron expressions")
    parser.add_argument("--once", action="store_true", help="one tick, then end")
    parser.add_argument("--emit", choices=CALLERS, help="print what calls the tick; start nothing")
    parser.add_argument("--image", default="foldrace:latest", help="of the container, with --emit")
    parser.add_argument("--tracking-uri", metavar="URI", help="in place of the file's")
    parser.add_argument("--fire", metavar="NAME@TIME", help="this firing of this sweep only")


def run(options: argparse.Namespace) -> int:
    """`foldrace schedule`."""
    from search.schedule.tick import schedule

    return schedule(options)
