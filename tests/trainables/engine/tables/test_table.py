"""Names of columns, kept apart and shown."""

from __future__ import annotations

import time

import pytest

from trainables.engine.errors import DataError
from trainables.engine.tables.table import kept_places, listed


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["a", "b"], ("a", "b")),
        (["a", "a", "a"], ("a", "a (2)", "a (3)")),
        (["a", "a (2)", "a"], ("a", "a (2)", "a (3)")),
        (["", "a", ""], ("column 1", "a", "column 3")),
        (["", "column 1"], ("column 1 (2)", "column 1")),
        (["x"] * 20_000, ("x", *(f"x ({n})" for n in range(2, 20_001)))),
    ],
)
def test_all_columns_have_names_of_their_own(names: list[str], shown: tuple[str, ...]) -> None:
    start = time.process_time()
    assert kept_places("a.csv", names, None) == (shown, {n: i for i, n in enumerate(shown)})
    assert time.process_time() - start < 5  # 0.02 s, where the time does not grow as the square


def test_a_wanted_name_stands_there_once() -> None:
    assert kept_places("a.csv", ["a", "b", "b"], {"a", "c"})[1] == {"a": 0}
    with pytest.raises(DataError, match=r"a\.csv has 2 columns called 'b': rename all but one"):
        kept_places("a.csv", ["a", "b", "b"], {"b"})


def test_names_are_shown_escaped_and_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["\x1b[31m"]) == r"\x1b[31m"
    assert len(listed(["x" * 3000])) == 60
    assert listed([str(n) for n in range(50)]).endswith("28, 29 and 20 more")
