"""`foldrace completion`."""

from __future__ import annotations

import argparse
import sys

from search.completion import SHELLS, script

SUMMARY = "Print what makes the TAB key complete commands, options, spaces and sweeps."
EXAMPLES = """\
examples:
  eval "$(foldrace completion bash)"        in ~/.bashrc
  eval "$(foldrace completion zsh)"         in ~/.zshrc, after compinit
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("shell", choices=SHELLS, help="which shell reads it")


def run(options: argparse.Namespace) -> int:
    """`foldrace completion`."""
    sys.stdout.write(script(options.shell))
    return 0
