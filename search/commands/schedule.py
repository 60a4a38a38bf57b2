"""`foldrace schedule`."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from search.schedule.emit import CALLERS, carried, emit

if TYPE_CHECKING:
    from search.schedule.tick import EntryStatus

_LONGEST_SLEEP_S = 60.0

SUMMARY = "Start sweeps when they are due."
EXAMPLES = """\
examples:
  foldrace schedule --example > sweeps.toml         a file that works, to begin with
  foldrace schedule sweeps.toml                     start what is due, again and again
  foldrace schedule sweeps.toml --once              one tick: for cron, systemd, Kubernetes
  foldrace schedule sweeps.toml --emit systemd      the units that call it
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a TOML file of sweeps with cron expressions"
    )
    parser.add_argument("--example", action="store_true", help="print such a file; start nothing")
    parser.add_argument("--once", action="store_true", help="one tick, then end")
    parser.add_argument("--emit", choices=CALLERS, help="print what calls the tick; start nothing")
    parser.add_argument("--image", default="foldrace:latest", help="of the container, with --emit")
    parser.add_argument("--tracking-uri", metavar="URI", help="in place of the file's")
    parser.add_argument("--fire", metavar="NAME@TIME", help="this firing of this sweep only")


def run(options: argparse.Namespace) -> int:
    """`foldrace schedule`."""
    from search.errors import InputError
    from search.schedule import notify
    from search.schedule.file import EXAMPLE, read_schedule
    from search.schedule.tick import (
        check_here,
        moment_of,
        spec_of,
        tick,
        tick_entry,
        told,
        utc_now,
    )

    if options.example:
        sys.stdout.write(EXAMPLE)
        return 0
    if options.file is None:
        raise InputError(
            "Name the file of sweeps; `foldrace schedule --example > sweeps.toml` makes one."
        )
    file = Path(options.file).resolve()
    plan, parse, uri = read_schedule(file), options.parse, options.tracking_uri
    for entry in plan.sweep:
        spec = spec_of(plan, parse, entry, "check", uri)
        # All of the file before any of it runs; a tick leaves the data of others alone.
        if not options.once and options.fire is None:
            check_here(entry, spec, files=entry.submit is None and options.emit != "kubernetes")
    looped = not options.once and options.emit is None
    address = plan.notified(os.environ) if looped else None
    if address is not None:
        notify.check(address)

    def done(statuses: list[EntryStatus]) -> int:
        code = _say(statuses)
        sys.stderr.writelines(f"{line}\n" for line in told(plan, statuses, utc_now()))
        return code

    if options.emit is not None:
        installed = shutil.which("foldrace")
        words = [installed] if installed else [sys.executable, "-P", "-m", "search.cli"]
        text = emit(
            options.emit,
            file=file,
            folder=Path.cwd(),
            program=shlex.join(words),
            image=options.image,
            tracking_uri=uri,
            environment=carried(os.environ, uri or plan.tracking_uri),
        )
        sys.stdout.write(text)
        if plan.notify is not None and plan.notify.startswith("$"):
            sys.stderr.write(f"set {plan.notify[1:]} where that is called: it is not printed\n")
        return 0
    if options.fire is not None:
        name, _, moment = options.fire.partition("@")
        named = next((entry for entry in plan.sweep if entry.name == name), None)
        if named is None:
            known = ", ".join(entry.name for entry in plan.sweep)
            raise InputError(f"--fire names no sweep of {file}: {name!r}. Known: {known}.")
        return done([tick_entry(plan, parse, named, utc_now(), uri, fire=moment_of(moment))])
    if options.once:
        return done(tick(plan, parse, utc_now(), uri))
    while True:
        done([status for status in tick(plan, parse, utc_now(), uri) if status.state != "waits"])
        coming = min(entry.next_firing(utc_now()) for entry in plan.sweep)
        time.sleep(min(_LONGEST_SLEEP_S, max(1.0, (coming - utc_now()).total_seconds())))


def _say(statuses: list[EntryStatus]) -> int:
    """Print what became of each entry; returns the exit code."""
    for status in statuses:
        sys.stderr.write(f"{status.name}: {status.state}: {status.detail}\n")
    return max((status.code for status in statuses), default=0)
