"""Columns of a table that hold its texts and its labels.

By their names first, then by what they hold. A guess is made where one column alone fits; else the
user is asked, and shown the columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from trainables.engine.tables.table import Table, listed

# Names in use, the commonest first. "text" and "label" alone are never doubted.
TEXTS = (
    "text", "sentence", "content", "body", "review", "tweet", "message", "comment", "document",
    "question", "query", "utterance", "post", "abstract", "article", "description", "statement",
    "headline", "title", "claim", "premise", "sentence1", "question1", "text_a", "texts", "texte",
    "sms", "email", "transcript", "news", "passage", "paragraph", "summary",
)  # fmt: skip
LABELS = (
    "label", "class", "category", "target", "sentiment", "topic", "intent", "emotion", "labels",
    "y", "tag", "classification", "categories", "polarity", "stance", "verdict", "rating", "stars",
    "score", "genre", "language", "type", "subject", "airline_sentiment", "klass", "klasse",
)  # fmt: skip
SECONDS = {
    "sentence1": "sentence2",
    "question1": "question2",
    "premise": "hypothesis",
    "text_a": "text_b",
    "text": "text_b",
    "claim": "evidence",
    "query": "document",
    "question": "answer",
}
"""Usual names of a pair's columns."""

# A name with such a word is about a text or label, and is neither.
_ABOUT = {"id", "ids", "length", "len", "date", "time", "url", "count", "confidence", "author"}
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}:\d{2}")
_ROWS_LOOKED_AT = 2_000
_SHOWN_COLUMNS = 12
_NAME_WIDTH, _LINE_WIDTH = 20, 76


def text_column(
    table: Table, taken: Collection[str | None], partner: str | None = None
) -> str | None:
    """Find the column of the texts, if it is clear.

    Args:
        table: Table with some rows, or with none.
        taken: Columns with another role.
        partner: Column of the second text, for pairs.
    """
    free = [name for name in table.names if name not in taken]
    plain = {_plain(name): name for name in reversed(free)}
    if partner is not None:
        first = [one for one, other in SECONDS.items() if other == _plain(partner)]
        usual = next((plain[one] for one in first if one in plain), None)
        if usual is not None:
            return usual
    found = _only(table, free, TEXTS, _holds_texts)
    # Half of what is called a pair is not taken for all of it.
    half = found is not None and partner is None and SECONDS.get(_plain(found)) in plain
    return None if half else found


def label_column(table: Table, taken: Collection[str | None]) -> str | None:
    """Find the column of the labels, if it is clear.

    Args:
        table: Table with some rows, or with none.
        taken: Columns with another role.
    """
    free = [name for name in table.names if name not in taken]
    return _only(table, free, LABELS, _holds_labels)


def _only(
    table: Table,
    names: Sequence[str],
    usual: Sequence[str],
    holds: Callable[[Table, str], bool],
) -> str | None:
    """Return the one column with a usual name, or the usual contents."""
    plain = {_plain(name): name for name in reversed(names)}
    if usual[0] in plain:
        return plain[usual[0]]
    named = _named(names, usual)
    if len(named) == 1:
        return named[0]
    held = [name for name in named or names if holds(table, name)]
    return held[0] if len(held) == 1 else None


def question(table: Table, text: str | None, label: str | None) -> str:
    """Message that shows the columns and asks for what was not found.

    Args:
        table: All columns of the table.
        text: Column of the texts, where it is known.
        label: Column of the labels, where it is known.
    """
    wanted = [role for role, name in (("texts", text), ("labels", label)) if name is None]
    source = Path(table.source).name
    which = " and which the ".join(wanted)
    lines = [f"Which column of {source} holds the {which}? Its columns:"]
    shown = table.names[:_SHOWN_COLUMNS]
    width = min(_NAME_WIDTH, max(map(len, shown), default=1))
    for name in shown:
        line = f"  {_cut(listed([name]), width):{width}}  {_described(table, name)}"
        lines.append(_cut(line, _LINE_WIDTH))
    more = len(table.names) - len(shown)
    lines += [f"  and {more:,} more"] if more > 0 else []
    options = [
        f"{option} {_quoted(known) if known else 'COLUMN'}"
        for option, known in (("--text", text), ("--label", label))
    ]
    lines.append(f"Name it: {' '.join(options)}")
    plain = {_plain(name): name for name in table.names}
    pairs = ((plain[one], plain[two]) for one, two in SECONDS.items() if {one, two} <= {*plain})
    pair = next(pairs, None)
    if pair is not None and text is None:
        first, second = map(_quoted, pair)
        lines.append(f"If a row is a pair of texts: --text {first} --text-b {second}")
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"


def _plain(name: str) -> str:
    return "_".join(_words(name))


def _words(name: str) -> list[str]:
    """Words of a name.

    reviewText, review_text and "Review text" have the same two.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", apart.lower())


def _named(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Columns with a known name, or with a known word in it."""
    given = list(names)
    exact = [name for name in given if _plain(name) in known]
    if exact:
        return exact
    return [
        name
        for name in given
        if not _ABOUT & set(words := _words(name)) and set(words) & {*known} and len(words) > 1
    ]


def _values(table: Table, name: str) -> list[Any]:
    values = table.columns.get(name, ())[:_ROWS_LOOKED_AT]
    return [value for value in values if value is not None and str(value).strip()]


def _holds_texts(table: Table, name: str) -> bool:
    values = _values(table, name)
    if not values or not all(isinstance(value, str) for value in values):
        return False
    # A letter is a word where words are not set apart, as in Chinese.
    lengths = [
        max(len(value.split()), len(re.findall(r"[\u3040-\u9fff]", value))) for value in values
    ]
    return sum(lengths) / len(lengths) >= 3 and len(set(values)) >= 0.5 * len(values)


def _holds_labels(table: Table, name: str) -> bool:
    values = [str(value).strip() for value in _values(table, name)]
    different = set(values)
    if all(_DATE.match(value) for value in different):
        return False
    few = 2 <= len(different) <= max(2, len(values) // 5)
    return few and max(map(len, different)) <= 60 and not _holds_texts(table, name)


def _described(table: Table, name: str) -> str:
    """A column in words: how many values, and the first ones."""
    values = _values(table, name)
    if not values:
        return "blank"
    different = list(dict.fromkeys(map(str, values)))
    rows = len(table.columns.get(name, ()))
    many = (
        f"{len(different):,} different"
        if rows <= _ROWS_LOOKED_AT
        else (f"{len(different):,} different in {_ROWS_LOOKED_AT:,} rows")
    )
    return f"{many}: {', '.join(repr(value[:40]) for value in different[:4])}"
