"""Command lines that somebody might type, or a script might make of bad values.

`command_lines` draws words for any command of the parser, so that a new option is drawn, too: words
that fit, words at the edge, and words that no option takes. `schedules` draws files of sweeps.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from search.cli import build_parser
from search.usage import Parser

EXAMPLES = int(os.environ.get("FOLDRACE_FUZZ_EXAMPLES") or 0)
"""Examples a fuzz draws, where the run of tests is to be a long one; else 0."""

# No command with these is of use here: they end at once, or run until Ctrl-C.
_LEFT_OUT = {"-h", "--help"}

_NUMBERS = (
    "0", "1", "2", "3", "-1", "0.5", "0.1,0.5", "1e-9", "1e308", "1e400", "nan", "inf", "-inf",
    "1_0", "007", "+5", "0x10", "65535", "65536", "1000000000", "4294967296", "9" * 30,
    "9" * 5000, "\u0663",
)  # fmt: skip
_NAMES = (
    "mine", "latest", ".", "..", "a/b", "a:b", " a", "-a", "a b", "\x1b[31m", "a\nb", "x" * 300,
    "za\u017c\u00f3\u0142\u0107", "\N{GRINNING FACE}" * 60, "caf\udce9", "'", '"', "%s", "{}",
    "$(x)", "*",
)  # fmt: skip
_URLS = (
    "http://[::1", "http://127.0.0.1:9", "http://127.0.0.1:99999", "http://", "//x", "ftp://x",
    "sqlite:///mlflow.db", "sqlite:///", "sqlite://x", "sqlite:////no/such/folder/x.db",
    "sqlite:///afile.txt", "sqlite:///adir", "sqlite:///?a", "postgresql://u:p@127.0.0.1:9/d",
    "postgresql+nodriver://127.0.0.1:9/d", "local", "auto", "ray://127.0.0.1:10001", "ray://",
    "h:1", "file:///tmp", "databricks", "http://u:p@127.0.0.1:9", "http://127.0.0.1:9/a b",
)  # fmt: skip
_PATHS = (
    "afile.txt", "adir", "no/such.csv", "/proc/x", "new.csv", "new.parquet", "new.PNG",
    "new.xlsx", "/dev/null", "reviews.csv", "broken.csv", "binary.csv", "deep.jsonl",
    "configs.csv", "ragged.csv", "configs.json", "deep.json", "exits.py", "interrupts.py",
    "broken.py", "space.py", "sweeps.toml", "adir/new.csv", "afile.txt/x", f"{'y' * 300}.csv",
    "encoder", "mine", "a\0b.csv", "loop.csv",
)  # fmt: skip
_PAIRS = (
    "k=2", "k=3", "k=", "=2", "k", "k=2,10", "beta=0.9", "epochs=1", "epochs=1000000000",
    "epochs=-1", "learning_rate=nan", "learning_rate=inf", "learning_rate=1e-5",
    f"k={'9' * 5000}", f"epochs={'9' * 400}", "pooling=none", "precision=fp64", "max_length=8",
    "schedule=", "\u03b2=0.5",
)  # fmt: skip
_WORDS = (
    "all", "reference", "ablation", "official", "race", "grid", "smoke", "softtriple",
    "projektion", "trec", "trec-1k", "trecc", "owner/name", "minilm", "body", "verdict", "text",
    "", " ", "\t", "a\0b", "cron", "systemd", "kubernetes", "mine@2026-01-01T00:00+00:00",
    "mine@never", "none", "a,b", ",",
)  # fmt: skip

# As `FILES` names them; the fuzz makes them beside its ledger.
FILES: dict[str, bytes] = {
    "afile.txt": b"a text\n",
    "broken.csv": b'body,verdict\n"open,x\n',
    "binary.csv": b"\x89PNG\r\n\xf0\x00\xff",
    "ragged.csv": b"k,beta\n2,0.5,7\n2\n",
    "configs.csv": b"k,gamma,scale,margin,beta\n2,0.1,3.3,0.3,0.9\n",
    "configs.json": b'[{"k": 2, "beta": [0.9]}]',
    "deep.json": b"[" * 100_000,
    "deep.jsonl": b"[" * 100_000,
    "exits.py": b"import sys\nsys.exit(3)\n",
    "interrupts.py": b"raise KeyboardInterrupt\n",
    "broken.py": b"def f(:\n",
    "space.py": b"from spaces.smoke import SPACE\n",
    "sweeps.toml": b"""\
[[sweep]]
name = "mine"
cron = "0 2 * * *"
run = "smoke --data reviews.csv --text body --label verdict --model encoder"
""",
}


def make_files(folder: Path) -> None:
    """Put the files and folders that are typed into a folder."""
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "adir").mkdir()
    (folder / "loop.csv").symlink_to("loop.csv")


def _anything() -> st.SearchStrategy[str]:
    # No slash: what is drawn as a place to write to stays in the folder.
    letters = st.characters(blacklist_categories=(), blacklist_characters="/")
    return st.one_of(
        *(st.sampled_from(words) for words in (_NUMBERS, _NAMES, _URLS, _PATHS, _PAIRS, _WORDS)),
        st.text(letters, max_size=8),
    )


# Words that an option takes, by its name in the parser.
_SOUND: Mapping[str, Sequence[str]] = {
    "space": ("smoke", "smoke", "projection"),
    "data": ("reviews.csv",),
    "text": ("body",),
    "label": ("verdict",),
    "model": ("encoder",),
    "sweep": ("mine", "latest"),
    "sweeps": ("mine", "latest"),
    "file": ("sweeps.toml",),
    "tables": ("afile.txt",),
    "seeds": ("2", "2,16"),
    "folds": ("2",),
    "set_axes": ("k=2", "beta=0.9"),
    "fix": ("epochs=1", "learning_rate=1e-3"),
    "configs": ("configs.csv", "reference", "all"),
    "plugin": ("space.py",),
    "out": ("new.csv", "new", "new.parquet"),
    "report": ("new", "adir"),
    "figure": ("new.png",),
    "address": ("http://127.0.0.1:9",),
    "ray_address": ("local", "auto"),
    "tracking_uri": ("sqlite:///mlflow.db",),
    "experiment": ("foldrace",),
    "clean": ("mentions",),
    "stack": ("auto", "2"),
    "name": ("new",),
}
# Words that an option refuses, or that are at the edge of what it takes.
_EDGE: Mapping[str, Sequence[str]] = {
    "set_axes": _PAIRS,
    "fix": _PAIRS,
    "configs": _PATHS,
    "plugin": _PATHS,
    "data": _PATHS,
    "out": _PATHS,
    "report": _PATHS,
    "figure": _PATHS,
    "tracking_uri": _URLS,
    "address": _URLS,
    "ray_address": _URLS,
    "name": _NAMES,
    "experiment": _NAMES,
    "sweep": _NAMES,
    "model": (*_NAMES, *_PATHS),
}
_OF_RUN = ("text", "label", "seeds", "folds")


@st.composite
def _valued(draw: st.DrawFn, action: argparse.Action, *, sound: bool) -> list[str]:
    """Words of one option or argument."""
    choices = [str(choice) for choice in action.choices or ()]
    if sound:
        value = draw(st.sampled_from(choices or _SOUND.get(action.dest, ("2", "1", "3"))))
    else:
        value = draw(st.sampled_from(_EDGE.get(action.dest, _NUMBERS)) | _anything())
    if not action.option_strings:
        return [value]
    flag = draw(st.sampled_from([flag for flag in action.option_strings if flag[:2] == "--"]))
    if action.nargs == 0:
        return [flag]
    return [f"{flag}={value}"] if draw(st.booleans()) else [flag, value]


def _commands(parser: Parser) -> dict[str, argparse.ArgumentParser]:
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(subparsers.choices)


@st.composite
def command_lines(draw: st.DrawFn, *, commands: Sequence[str] = ()) -> list[str]:
    """Words of a command.

    Args:
        draw: Hypothesis' own.
        commands: Commands to draw from; all without any.
    """
    parsers = _commands(build_parser())
    command = draw(st.sampled_from(list(commands) or sorted(parsers)))
    actions = [a for a in parsers[command]._actions if not _LEFT_OUT & set(a.option_strings)]
    base = [
        action
        for action in actions
        if action.required
        or not action.option_strings
        or (command in ("run", "plan") and action.dest in _OF_RUN)
    ]
    others = [action for action in actions if action not in base]
    more = draw(st.lists(st.sampled_from(others), max_size=4)) if others else []
    typed = [action for action in (*base, *more) if action.nargs != argparse.REMAINDER]
    odd = draw(st.sets(st.integers(0, max(0, len(typed) - 1)), max_size=2))
    words = [command]
    for place, action in enumerate(typed):
        if place in odd and not draw(st.integers(0, 9)):
            continue
        words += draw(_valued(action, sound=place not in odd))
    if command == "submit":
        words += ["--", *draw(command_lines(commands=("run", "plan", "resume")))]
    return words if draw(st.integers(0, 19)) else [*words, draw(_anything())]


@st.composite
def schedules(draw: st.DrawFn) -> str:
    """The text of a schedule, which need not be one."""
    words = draw(command_lines(commands=("run",)))[1:]
    run = shlex.join(words) if draw(st.booleans()) else " ".join(words)
    fields = {
        "name": draw(st.sampled_from(_NAMES)),
        "cron": draw(st.sampled_from(("0 2 * * *", "0 2 * *", "* * 31 2 *", "x", ""))),
        "run": run,
    }
    extra = {
        "submit": _URLS,
        "timezone": ("UTC", "Mars/Base", "../../etc/passwd", ""),
        "folder": _PATHS,
        "registered_model": _NAMES,
    }
    for name, values in extra.items():
        if not draw(st.integers(0, 4)):
            fields[name] = draw(st.sampled_from(values))
    head = draw(st.sampled_from(("", "x = 1\n", *(f"tracking_uri = {_toml(u)}\n" for u in _URLS))))
    return head + "[[sweep]]\n" + "".join(f"{name} = {_toml(v)}\n" for name, v in fields.items())


def _toml(text: str) -> str:
    """A text as TOML writes it."""
    plain = text.encode(errors="replace").decode()
    shown = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in plain)
    return f'"{shown}"'
