"""Source of a dispatcher's pairs, and the cells of its sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from search.strategies.budget import TimeLeft
from trainables.engine.contract import Cell, CellResult, Task

Pair = tuple[int, int]  # (index of the config, index of the block)


class CellSource(Protocol):
    """Source of pairs to train, as a strategy is one."""

    @property
    def done(self) -> bool:
        """True once no more cells will be asked for."""
        ...

    def ask(self, n: int, slots: int = 1, seconds: float | None = None) -> list[Pair]:
        """Up to n pairs to train next, for one slot of several.

        None means: wait for results, or the end. Those after the first take no longer than
        `seconds` with it.
        """
        ...

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        """Note how many further cells the time left allows, and that time."""
        ...

    def seconds_of(self, config: int) -> float | None:
        """Likely seconds of a config's cell; None where nothing says so."""
        ...


def _all_ours(cells: Sequence[Cell]) -> Claimed:
    return Claimed()


def _no_news(pairs: Sequence[Pair]) -> None:
    return None


def _going_on() -> None:
    return None


@dataclass(frozen=True)
class Claimed:
    """Cells that are not ours to train, by key.

    Attributes:
        found: Those that another sweep has trained.
        busy: Those that another sweep trains now.
    """

    found: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CellTask:
    """Cells of a sweep, as far as their training needs them.

    Attributes:
        task: Task that all cells share.
        cell: Function from a pair to its cell.
        shape: Function from a pair to its shape; pairs of equal shapes may share a stack.
        on_results: Function called in the driver with the results that came in together, in order
            of arrival; it tells the strategy.
        claim: Function called with the cells of a stack that is about to start.
        on_found: Function called with pairs that another sweep has trained; it tells the strategy.
        halted: Gives a sentence on why no further stack may start; None while one may.
    """

    task: Task
    cell: Callable[[Pair], Cell]
    shape: Callable[[Pair], object]
    on_results: Callable[[Sequence[tuple[Pair, CellResult]]], None]
    claim: Callable[[Sequence[Cell]], Claimed] = _all_ours
    on_found: Callable[[Sequence[Pair]], None] = _no_news
    halted: Callable[[], str | None] = _going_on
