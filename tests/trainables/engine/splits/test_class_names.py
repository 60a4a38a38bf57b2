"""Names that may be one class are told from names that are two."""

from __future__ import annotations

import pytest

from trainables.engine.splits.class_names import alike


@pytest.mark.parametrize(
    "names",
    [
        ("Negative", "negative "),
        ("not funny", "not_funny", "Not-Funny", "notfunny"),
        ("joy", "joy."),
        ("joy", "j\u200boy"),
        ("1", "1.0", "01", "+1", "1e0"),
        ("stra\u00dfe", "STRASSE"),
        ("label 1", "label_1"),
    ],
)
def test_spelling_makes_no_other_name(names: tuple[str, ...]) -> None:
    assert alike([*names, "other"]) == [list(names)]


@pytest.mark.parametrize(
    "names",
    [
        ("C", "C++", "C#"),
        ("-1", "1"),
        ("A", "A+", "A-"),
        ("1-2", "12"),
        ("joy", "joy!"),
        ("a", "b"),
        ("+", "-"),
        ("caf\u00e9", "cafe"),
        ("<5", ">5"),
    ],
)
def test_a_sign_makes_another_name(names: tuple[str, ...]) -> None:
    assert alike(names) == []
