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
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from search import completion
from search.commands import listing
from search.errors import FoldraceError
from search.formatting import brief, printable
from search.process import start
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


def _terminate(signal_number: int, frame: object) -> NoReturn:
    if signal_number == signal.SIGHUP:
        start.leave_terminal()
    raise KeyboardInterrupt


class _Interrupt:
    """Ctrl-C: once ends a command in order, twice ends it at once."""

    def __init__(self) -> None:
        self._times = 0

    def __call__(self, signal_number: int, frame: object) -> None:
        self._times += 1
        if self._times == 1:
            raise KeyboardInterrupt
        with contextlib.suppress(OSError):
            shown = "\x1b[?25h" if os.isatty(2) else ""
            os.write(2, f"{shown}\nended at once; `foldrace resume` goes on\n".encode())
        os._exit(130)  # results are on disk; a Ray of our own ends with its driver


def _deliver_again(swallowed: sys.UnraisableHookArgs) -> None:
    """Deliver an interruption again that fell into a callback of the interpreter.

    What a destructor or a weak reference's callback raises, Python prints and forgets: Ctrl-C would
    be without effect.
    """
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    # Later, from another thread: here it would be swallowed once more.
    main_thread = threading.main_thread().ident
    threading.Timer(0.05, signal.pthread_kill, (main_thread, signal.SIGTERM)).start()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    if completion.asked():
        completion.answer(parser)
    options = parser.parse_args(argv)
    # A scheduler's SIGTERM is to end a sweep as a Ctrl-C does: results delivered, resume possible.
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _terminate)

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
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as a shell's background has it
        signal.signal(signal.SIGINT, _Interrupt())
    sys.unraisablehook = _deliver_again
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
