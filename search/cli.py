"""The command line: parsing, dispatch to search/commands, exit codes.

Nothing heavy is imported here: `foldrace --help` answers in under 0.3 s.

Exit codes: 0 done; 1 failed; 2 bad input or usage; 130 interrupted, `foldrace resume` goes on.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from search import completion
from search.commands import listing
from search.errors import FoldraceError
from search.formatting import brief, printable
from search.process import interrupts, start
from search.usage import Parser, ShowVersion

_MAIN_EXAMPLES = """\
examples:
  foldrace plan softtriple --data trec-1k --model minilm      what would it cost? trains nothing
  foldrace run softtriple --data trec-1k --model minilm       race the grid
  foldrace resume latest                                      go on after Ctrl-C or a crash
  foldrace leaderboard latest                                 who leads, by how much, how sure
  foldrace ui                                                 compare runs in the MLflow UI
"""


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="foldrace",
        description="Race the configs of a paper's grid on paired cells (config, seed, fold).",
        epilog=_MAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=ShowVersion)
    # Commands that hold commands (submit, schedule) parse these with it.
    parser.set_defaults(parse=parser.checked)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in listing().items():
        own = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.SUMMARY,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_options(own)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    if completion.asked():
        completion.answer(parser)
    options = parser.parse_args(argv)
    interrupts.end_as_ctrl_c_does()

    try:
        parser.check(options)
        code = int(listing()[options.command].run(options))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except FoldraceError as error:
        return _failed(options.command, error, error.exit_code)
    except BrokenPipeError:
        return 1  # whoever read the answer has had enough of it
    except OSError as error:
        return _failed(options.command, error, 2 if error.errno == errno.ENAMETOOLONG else 1)


def _failed(command: str, error: Exception, code: int) -> int:
    """Print an error with control characters escaped; return the exit code."""
    text = "\n".join(brief(printable(line)) for line in str(error).split("\n"))
    with contextlib.suppress(OSError):
        sys.stderr.write(f"foldrace {command}: {text}\n")
    return code


def _let_go_of_streams() -> None:
    """Flush the streams; one that nobody reads is dropped."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def script() -> NoReturn:
    """The console script: `main`, then the end.

    An interruption may fall into Ray's start or torch's import. The interpreter, which takes down
    what these left behind in C++, then crashes now and then, and the exit code is lost: so it is
    left out. What is registered for the end is done all the same.
    """
    start.settle()
    interrupts.take_ctrl_c()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another encoding shows an escape for what it lacks.
            stream.reconfigure(errors="backslashreplace")
    code = main()
    _let_go_of_streams()
    if code != 130:
        sys.exit(code)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    script()
