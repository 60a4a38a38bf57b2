"""Columns of texts and labels: found where one fits, asked for where none or several do."""

from __future__ import annotations

import pytest

from trainables.engine.tables.likely_columns import label_column, question, text_column
from trainables.engine.tables.table import Table

ROWS = 40
KINDS = {
    "prose": [f"a film that was seen {n} times" for n in range(ROWS)],
    "words": [f"word{n}" for n in range(ROWS)],
    "chinese": [f"这部电影很好看第{n}次" for n in range(ROWS)],
    "id": [str(n) for n in range(ROWS)],
    "class": [("good", "bad")[n % 2] for n in range(ROWS)],
    "three": [("a", "b", "c")[n % 3] for n in range(ROWS)],
    "date": [f"2024-01-{n % 9 + 1:02}" for n in range(ROWS)],
    "blank": [""] * ROWS,
}


def table(**columns: str) -> Table:
    """A table of named kinds of columns; "_" stands for a blank in a name."""
    held = {name.replace("__", " "): KINDS[kind] for name, kind in columns.items()}
    return Table("reviews.csv", tuple(held), held, rows=ROWS, typed=False)


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"id": "id", "text": "prose", "sentence": "prose", "label": "three"}, "text", "label"),
        ({"Nr": "id", "Tweet__Body": "prose", "Klasse": "class"}, "Tweet Body", "Klasse"),
        ({"reviewText": "prose", "review_id": "id", "stars": "three"}, "reviewText", "stars"),
        ({"foo": "id", "bar": "prose", "baz": "class"}, "bar", "baz"),
        ({"foo": "chinese", "baz": "class"}, "foo", "baz"),
        ({"title": "words", "body": "prose", "category": "three"}, "body", "category"),
        ({"foo": "prose", "kind": "class", "asked": "date"}, "foo", "kind"),
        ({"title": "prose", "body": "prose", "category": "three"}, None, "category"),
        ({"foo": "prose", "one": "class", "other": "three"}, "foo", None),
        ({"foo": "prose", "bar": "id"}, "foo", None),
        ({"foo": "blank", "bar": "blank"}, None, None),
        ({"sentence1": "prose", "sentence2": "prose", "label": "class"}, None, "label"),
    ],
)
def test_the_one_column_that_fits_is_found(
    columns: dict[str, str], text: str | None, label: str | None
) -> None:
    given = table(**columns)
    assert label_column(given, ()) == label
    assert text_column(given, (label,)) == text


def test_names_alone_tell_where_no_row_was_read() -> None:
    names = ("id", "content", "sentiment")
    header = Table("a.csv", names, dict.fromkeys(names, ()), rows=0, typed=False)
    assert (text_column(header, ()), label_column(header, ())) == ("content", "sentiment")
    unnamed = Table("a.csv", ("p", "q"), {"p": (), "q": ()}, rows=0, typed=False)
    assert (text_column(unnamed, ()), label_column(unnamed, ())) == (None, None)


@pytest.mark.parametrize(
    ("first", "second"),
    [("sentence1", "sentence2"), ("question1", "question2"), ("premise", "hypothesis")],
)
def test_a_pairs_first_text_is_found_by_the_second(first: str, second: str) -> None:
    given = table(**{second: "prose", first: "prose", "label": "class"})
    assert text_column(given, ("label", second), second) == first


def test_a_column_with_a_role_has_no_other() -> None:
    given = table(content="prose", comment="prose", label="class")
    assert text_column(given, ("content",)) == "comment"


def test_the_question_shows_each_column_and_fits_a_terminal() -> None:
    given = table(**{f"column{n}": "prose" for n in range(14)}, label="class")
    lines = question(given, None, "label").splitlines()
    assert lines[0] == "Which column of reviews.csv holds the texts? Its columns:"
    assert lines[1].startswith("  column0   40 different: 'a film that was seen 0 times', 'a ")
    assert lines[-2:] == ["  and 3 more", "Name it: --text COLUMN --label label"]
    assert max(map(len, lines)) <= 80


def test_the_question_names_a_pair_and_quotes_for_a_shell() -> None:
    given = table(premise="prose", hypothesis="prose", the__kind="three", other="class")
    lines = question(given, None, None).splitlines()
    assert lines[0].startswith("Which column of reviews.csv holds the texts and which the labels?")
    assert "  the kind    3 different: 'a', 'b', 'c'" in lines
    assert lines[-2] == "Name it: --text COLUMN --label COLUMN"
    assert lines[-1] == "If a row is a pair of texts: --text premise --text-b hypothesis"
    assert question(given, None, "the kind").splitlines()[-2].endswith("--label 'the kind'")
