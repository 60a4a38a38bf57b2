"""Usage errors of the command line: error first, suggestions, one-line usage."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from search.checks import refuse
from search.checks.names import READABLE
from search.checks.output_paths import OutputFile, OutputFolder
from search.errors import InputError
from search.formatting import brief, printable


class Parser(argparse.ArgumentParser):
    """A command line whose errors say what was meant.

    An option that is unknown here may be misspelt, belong to another command, or be a value of the
    space: each of them is told.
    """

    def error(self, message: str) -> NoReturn:
        """Print the error and the usage, and exit with code 2."""
        said = "\n".join(brief(printable(line)) for line in message.split("\n"))
        self.exit(2, f"{self.prog}: error: {said}\n{self._usage_in_a_line()}\n")

    def checked(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command, and judge each value.

        Raises:
            InputError: naming the first option whose value cannot be.
            SystemExit: for words that do not parse, with exit code 2.
        """
        options: argparse.Namespace = self.parse_args(words)
        self.check(options, here=False)
        return options

    def check(self, options: argparse.Namespace, *, here: bool = True) -> None:
        """Judge the value of each option by what it was declared with.

        Args:
            options: Options of a command.
            here: False if the command will run elsewhere, or later: places to write to are passed.

        Raises:
            InputError: naming the first option whose value cannot be.
        """
        command = self._commands()[options.command]
        for action in command._actions:
            # Of one that may be given again, the value is a list.
            value = getattr(options, action.dest, None)
            if value is None or action.nargs == argparse.REMAINDER:
                continue
            check = action.type if hasattr(action.type, "fault") else None
            if isinstance(check, OutputFile | OutputFolder) and not here:
                check = None
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str):
                    refuse(READABLE, _called(action), one)
                if check is not None:
                    refuse(check, _called(action), one)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all, or end with what is unknown."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            commands = self._commands()
            command = commands.get(str(getattr(options, "command", None)))
            (command or self).error(unknown_words(unknown, options, command or self, commands))
        return options

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse, with the nearest of the choices."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = _nearest(str(value), map(str, action.choices or ()))
            hint = f" - did you mean {near!r}?" if near else ""
            raise argparse.ArgumentError(action, f"{error.message}{hint}") from None

    def _usage_in_a_line(self) -> str:
        words, more = [self.prog], False
        for action in self._actions:
            if action.option_strings and not action.required:
                more = True
            elif action.nargs != argparse.PARSER:
                flag = [max(action.option_strings, key=len)] if action.option_strings else []
                shown = action.metavar if isinstance(action.metavar, str) else action.dest
                shown = f"[{shown}]" if action.nargs == argparse.OPTIONAL else shown
                words += [*flag, *([shown] if action.nargs != 0 else [])]
            else:
                words += [str(action.metavar), "..."]
        return f"usage: {' '.join(words)}{' [options]' if more else ''}; {self.prog} --help"

    def _commands(self) -> dict[str, Parser]:
        parsers: dict[str, Parser] = {}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers |= action.choices
        return parsers

    def options(self) -> list[str]:
        """All options in their long form."""
        return [
            flag
            for action in self._actions
            for flag in action.option_strings
            if flag.startswith("--") and action.help != argparse.SUPPRESS
        ]


def _called(action: argparse.Action) -> str:
    """Name of an option or an argument, as it is typed."""
    return next((flag for flag in action.option_strings if flag[:2] == "--"), str(action.metavar))


def unknown_words(
    unknown: Sequence[str],
    options: argparse.Namespace,
    command: Parser,
    commands: dict[str, Parser],
) -> str:
    """Message on words that a command does not know.

    Args:
        unknown: The words, in order.
        options: Options understood so far.
        command: That was called.
        commands: All there are, by name.
    """
    said = [f"unrecognized arguments: {' '.join(unknown)}"]
    flags = [word for word in unknown if word.startswith("--")]
    for flag in flags:
        name, equals, value = flag.partition("=")
        if not equals:
            value = next(_values(unknown, flag), "")
        said += _hints(name, value, options, command, commands)
    return "\n".join(said)


def _values(words: Sequence[str], flag: str) -> Iterator[str]:
    following = words[words.index(flag) + 1 :]
    yield from (word for word in following[:1] if not word.startswith("--"))


def _hints(
    flag: str,
    value: str,
    options: argparse.Namespace,
    command: Parser,
    commands: dict[str, Parser],
) -> list[str]:
    space = getattr(options, "space", None)
    fields = _fields(space) if space else ()
    if not fields and hasattr(options, "space"):
        # What stands behind an unknown flag was taken for the space.
        fields, value = _fields("finetune"), value or space or ""
    field = _field(flag, fields)
    if field is not None:
        return [f"{flag} is no option but a value of the space: --fix {field}={value or 'VALUE'}"]
    owners = [name for name, other in commands.items() if flag in other.options()]
    if "run" in owners and command is commands.get("resume"):
        return [
            f"{flag} belongs to a new sweep: type its `foldrace run` again, changed; cells that "
            "are in the ledger are not trained again"
        ]
    if owners:
        return [f"{flag} is an option of: {', '.join(owners)}"]
    near = _nearest(flag, command.options())
    return [f"{flag}: did you mean {near}?"] if near else []


def _fields(space: str) -> tuple[str, ...]:
    """The parameters of a space; none of one that is not there."""
    from trainables.engine import registry

    try:
        declared = registry.load("spaces", space, "SPACE")
    except InputError:
        return ()
    return tuple(declared.kinds)


def _field(flag: str, fields: Iterable[str]) -> str | None:
    """Parameter that a flag names: in full, hyphenated, or initials like `lr`."""
    name = flag.lstrip("-").replace("-", "_").lower()
    for field in fields:
        initials = "".join(word[0] for word in field.split("_"))
        if name == field or (len(initials) > 1 and name == initials):
            return field
    return None


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


class ShowVersion(argparse.Action):
    """`--version`: looked up when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and end")

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print it and end."""
        from search.process import installation

        sys.stdout.write(f"foldrace {installation.version() or '(not installed)'}\n")
        parser.exit()
