"""Numbers: read, and judged by their bounds."""

from __future__ import annotations

import argparse
import math

import pytest

from search.checks.bounds import COUNT, HOURS, MARGIN, PORT, SEED


@pytest.mark.parametrize(
    ("bounds", "value", "fault"),
    [
        (COUNT, 0, "must be at least 1, got 0"),
        (COUNT, 10**12, "must be at most 1,000,000,000, got a number of many digits"),
        (SEED, -1, "must be at least 0, got -1"),
        (SEED, 2**32, "must be at most 4,294,967,295, got 4,294,967,296"),
        (PORT, 65_536, "must be at most 65,535, got 65,536"),
        (HOURS, 0.0, "must be above 0, got 0"),
        (HOURS, 1e-9, "must be at least 0.000277778, a second, got 1e-09"),
        (HOURS, math.nan, "must be a number above 0, 100,000 at most, got nan"),
        (HOURS, math.inf, "must be at most 100,000, got inf"),
        (HOURS, -math.inf, "must be above 0, got -inf"),
        (MARGIN, 500.0, "must be at most 100 points, got 500"),
    ],
)
def test_numbers_out_of_bounds(bounds: object, value: float, fault: str) -> None:
    assert bounds.fault(value) == fault  # type: ignore[attr-defined]


def test_the_bounds_themselves_are_within() -> None:
    assert [COUNT.fault(1), COUNT.fault(10**9), PORT.fault(65_535), MARGIN.fault(100)] == [None] * 4
    assert HOURS.fault(1 / 3600) is None


@pytest.mark.parametrize("text", ["x", "", "1.5", "9" * 5000, "0x10", "nan"])
def test_words_that_are_no_whole_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number, 1 to 65,535"):
        PORT(text)


def test_words_are_read() -> None:
    assert (PORT("5000"), HOURS("0.5")) == (5000, 0.5)
