"""Docstrings that a stranger can read: a first sentence of at most 12 words, plain entries."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("search", "spaces", "trainables")
    for path in (ROOT / package).rglob("*.py")
)
MOST_WORDS = 12
QUESTIONS = ("What", "Whether", "How", "Which", "Who", "Where")


def faults(docstring: str) -> list[str]:
    """What is wrong with a docstring, in words."""
    summary = docstring.split("\n\n", maxsplit=1)[0].replace("\n", " ")
    words = re.split(r"(?<=[.!?]) ", summary)[0].split()
    found = []
    if len(words) > MOST_WORDS:
        found.append(f"{len(words)} words in its first sentence")
    if words[0] in QUESTIONS:
        found.append(f"begins with {words[0]}")
    found += [f"entry {name!r} begins with Of" for name in re.findall(r"(\w+): Of ", docstring)]
    return found


def offenders(path: str) -> list[str]:
    """Docstrings of a file with a fault, each with its place."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [
        node
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, documented)
    ]
    return [
        f"{path}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}: {', '.join(wrong)}"
        for node in nodes
        if (wrong := faults(ast.get_docstring(node) or "a docstring"))
    ]


@pytest.mark.parametrize(
    ("docstring", "wrong"),
    [
        ("Return the folds of a cell.", 0),
        ("Return the folds.\n\nArgs:\n    seed: Seed of the cell.", 0),
        ("Short. But a second sentence may well be as long as one that somebody would write.", 0),
        ("A sentence that goes on and on until nobody knows where it began.", 1),
        ("Whether a cell is done.", 1),
        ("What a cell is.\n\nArgs:\n    seed: Of the cell.", 2),
    ],
)
def test_the_rule_sees_a_fault(docstring: str, wrong: int) -> None:
    assert len(faults(docstring)) == wrong


def test_the_rule_reads_every_file() -> None:
    assert len(FILES) > 350


@pytest.mark.parametrize("path", FILES)
def test_docstrings_are_plain(path: str) -> None:
    assert offenders(path) == []
