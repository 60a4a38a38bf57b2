"""Terminals, and one small sweep for all tests that read one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import Ended, Terminal

Opener = Callable[..., Terminal]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Opener]:
    """Terminals in a folder of the test's own."""
    opened: list[Terminal] = []

    def make(folder: Path = tmp_path, **settings: object) -> Terminal:
        opened.append(Terminal(folder, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


@pytest.fixture(scope="session")
def small_sweep(tiny_encoder: Path, reviews: Path) -> tuple[str, ...]:
    """The words of a sweep of a few configs and four blocks, seconds long."""
    return (
        *("smoke", "--data", str(reviews), "--text", "body", "--label", "verdict"),
        *("--model", str(tiny_encoder), "--seeds", "2,16", "--folds", "2", "--strategy", "grid"),
        *("--set", "scale=3.3", "--fix", "epochs=2", "--fix", "pooling=mean", "--name", "small"),
    )


@pytest.fixture(scope="session")
def trained(
    small_sweep: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Ended]:
    """The folder of a sweep that was trained at a terminal, and what that left on the screen."""
    folder = tmp_path_factory.mktemp("trained")
    terminal = Terminal(folder)
    try:
        return folder, terminal.run("run", *small_sweep)
    finally:
        terminal.close()
