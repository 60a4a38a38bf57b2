"""Least and largest values of the numbers that a user gives."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from search.formatting import shortened


@dataclass(frozen=True)
class Bounds:
    """Check of a number; infinity and NaN lie in no bounds.

    Attributes:
        low: Least value.
        high: Largest value.
        whole: True for whole numbers only.
        above: True where `low` itself is too low.
        unit: Follows the bounds in messages.
        least: Least value above `low`, which `above` alone does not give.
        least_text: What that is in words.
    """

    low: float
    high: float
    whole: bool = False
    above: bool = False
    unit: str = ""
    least: float | None = None
    least_text: str = ""

    def __call__(self, text: str) -> int | float:
        """Read a typed number; `fault` judges its size.

        Raises:
            ArgumentTypeError: if it is no number.
        """
        try:
            return int(text) if self.whole else float(text)
        except ValueError as error:
            shown = shortened(repr(text), 60)
            raise argparse.ArgumentTypeError(f"must be {self}, got {shown}") from error

    def fault(self, value: float) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        if value > self.high:
            allowed = f"at most {_text(self.high)}"
        elif value < self.low or (self.above and value == self.low):
            allowed = f"{'above' if self.above else 'at least'} {_text(self.low)}"
        elif self.least is not None and value < self.least:
            allowed = f"at least {_text(self.least)}, {self.least_text}"
        elif math.isnan(value):
            allowed = str(self)
        else:
            return None
        unit = f" {self.unit}" if self.unit else ""
        return f"must be {allowed}{unit}, got {shortened(_text(value), 30)}"

    def __str__(self) -> str:
        what = "a whole number" if self.whole else "a number"
        low, high = _text(self.low), _text(self.high)
        return f"{what} above {low}, {high} at most" if self.above else f"{what}, {low} to {high}"


def _text(value: float) -> str:
    """A bound or a value in full, however many digits it has."""
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**12 else "a number of many digits"
    return f"{value:,g}" if abs(value) < 1e6 else f"{value:g}"


COUNT = Bounds(1, 10**9, whole=True)
"""Cells, rows, rounds: one at least."""
SEED = Bounds(0, 2**32 - 1, whole=True)
"""The seeds that every library takes."""
HOURS = Bounds(0, 100_000, above=True, least=1 / 3600, least_text="a second")
"""Nothing is trained within less than a second: that is a slip of the finger."""
MINUTES = Bounds(0, 6_000_000, above=True, least=1 / 60, least_text="a second")
FRACTION = Bounds(0, 1, above=True)
MARGIN = Bounds(0, 100, above=True, unit="points")
ROPE = Bounds(0, 99.999, unit="points")
TRIALS = Bounds(1, 10_000, whole=True)
"""Trials, workers or stacked cells at once: more is a slip of the finger."""
RETRIES = Bounds(0, 1000, whole=True)
GPUS = Bounds(0, 10_000)
CPUS = Bounds(0, 10_000, above=True)
PRICE = Bounds(0, 10**9)
PORT = Bounds(1, 65_535, whole=True)
FOLDS = Bounds(2, 10**6, whole=True)
SECONDS = Bounds(0.1, 3600, unit="seconds")
MIB = Bounds(0, 10**6, above=True, unit="MiB")
