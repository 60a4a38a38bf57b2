"""Labels of a further file name the classes that training made of the same labels."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.engine.datasets.known_labels import KnownClasses, class_called
from trainables.engine.tables.table import Table


def table(labels: list[Any], names: list[Any] | None = None) -> Table:
    columns: dict[str, list[Any]] = {"label": labels}
    if names is not None:
        columns["label_name"] = names
    return Table("new.csv", tuple(columns), columns, rows=len(labels), typed=True)


def ids(classes: KnownClasses, rows: Table) -> list[int | None]:
    read = classes.read(rows, "label", range(rows.rows))
    found: list[int | None] = [None] * rows.rows
    for place, label in zip(read.places, read.ids.tolist(), strict=True):
        found[place] = label
    assert bool(read.notes) is (None in found)
    return found


NUMBERS = KnownClasses(("0", "1"))
STARS = KnownClasses(("1", "2"), ("0", "1"))
MOODS = KnownClasses(("sad", "joy"), ("0", "1"))


@pytest.mark.parametrize(
    ("classes", "labels", "names", "expected"),
    [
        (NUMBERS, [0, 1], None, [0, 1]),
        (NUMBERS, [0.0, 1.0], None, [0, 1]),
        (NUMBERS, ["0", " 1 "], None, [0, 1]),
        (NUMBERS, ["0.0", "1"], None, [None, 1]),  # a string is never read by its value
        (NUMBERS, [True, 0], None, [None, 0]),
        (NUMBERS, [0, 1], ["sad", "joy"], [0, 1]),
        (KnownClasses(("0.0", "1.0")), [0, 1.0], None, [0, 1]),
        (KnownClasses(("0.0", "1.0")), ["0.0", "1"], None, [0, None]),
        (KnownClasses(("01", "1.0")), [1], None, [None]),  # two classes of one number
        (KnownClasses(("0110", "0210")), ["0210", "0110"], None, [1, 0]),
        (STARS, [0, 1], ["1", "2"], [0, 1]),
        (STARS, [0, 1], None, [0, 1]),
        (STARS, [0.0, 1.0], ["1", None], [0, 1]),
        (STARS, [2, 1], ["2", "1"], [1, 0]),  # the names count, not the numbers
        (KnownClasses(("1", "2")), [0, 1], ["1", "2"], [0, 1]),
        (MOODS, [0, 1], None, [0, 1]),
        (MOODS, [0, 1], ["sad", "glad"], [0, None]),
        (KnownClasses(("sad", "joy")), [0, 1, 7], ["sad", None, "joy"], [0, None, 1]),
        (MOODS, ["joy", "sad"], None, [1, 0]),
        (MOODS, [0, 1, -1, None], ["sad", "joy", None, None], [0, 1, None, None]),
        (KnownClasses(("sad", "joy")), [0, 1], None, [None, None]),
        (KnownClasses(("fa\u0302che\u0301", "joy")), ["f\u00e2ch\u00e9"], None, [0]),
        (MOODS, [0.5, [1]], None, [None, None]),
    ],
)
def test_a_label_is_read_as_training_reads_it(
    classes: KnownClasses, labels: list[Any], names: list[Any] | None, expected: list[int | None]
) -> None:
    assert ids(classes, table(labels, names)) == expected


def test_rows_that_are_not_scored_are_counted_with_the_reason() -> None:
    rows = table([0, 7, 7, -1, None, "", "\x1b[31m" + "x" * 3000])
    notes = NUMBERS.read(rows, "label", range(7)).notes
    assert notes[0] == "2 of 7 rows are not scored: column 'label' is blank"
    assert notes[1].startswith("1 of 7 rows are not scored: their label is -1, which the hub")
    assert notes[2].startswith("3 of 7 rows are not scored: the model knows no class 7 (2), '\\x1b")
    assert notes[2].endswith("; it knows 0, 1")
    assert "\x1b" not in "".join(notes)
    assert len(notes[2]) < 250


def test_a_name_that_the_model_does_not_know_is_said() -> None:
    (note,) = MOODS.read(table([0, 1], ["sad", "glad"]), "label", range(2)).notes
    assert note == (
        "1 of 2 rows are not scored: the model knows no class glad (1); it knows sad (0), joy (1)"
    )


@pytest.mark.parametrize(
    ("typed", "found"),
    [("f\u00e2ch\u00e9", "fa\u0302che\u0301"), (" joy", "joy"), ("Joy", "Joy"), (None, None)],
)
def test_a_class_is_found_by_a_name_that_is_typed(typed: str | None, found: str | None) -> None:
    assert class_called(typed, ("fa\u0302che\u0301", "joy")) == found


def test_numbers_without_names_are_told_how_to_get_some() -> None:
    (note,) = KnownClasses(("sad", "joy")).read(table([0, 1]), "label", range(2)).notes
    assert note.endswith("it knows sad, joy; a column 'label_name' can name these numbers")
