"""Columns of texts and labels where the user named none."""

from __future__ import annotations

from dataclasses import replace

from trainables.engine.contract import DataRef
from trainables.engine.datasets.column_roles import columns_of_file, match_columns
from trainables.engine.datasets.columns import require
from trainables.engine.datasets.load import Place, hub_source, place_of
from trainables.engine.errors import DataError
from trainables.engine.tables import likely_columns
from trainables.engine.tables.headers import read_header
from trainables.engine.tables.read import read_table
from trainables.engine.tables.table import Table


def with_columns(ref: DataRef, *, whole: bool = True) -> DataRef:
    """Name the columns of texts and labels where the user named none.

    A table with the usual names, a card, or one that is read whole is left as it is.

    Args:
        ref: Reference to data.
        whole: False leaves a table whose header cannot be read by itself, and the hub, alone.

    Raises:
        DataError: showing the columns, where several may be meant, or none; or naming one that the
            user gave and the table lacks.
    """
    if ref.columns == "all":
        return ref
    place = place_of(ref.name)
    if place.card is not None or (ref.text is not None and ref.label is not None):
        return ref
    header = _names_of(ref, place, whole)
    if header is None:
        return ref
    require(header, {"--text": ref.text, "--text-b": ref.text_b, "--label": ref.label})
    usual, _ = match_columns(ref, header.names, None)
    text = usual.text if ref.text is not None or usual.text in header.names else None
    label = usual.label if ref.label is not None or usual.label in header.names else None
    if text is not None and label is not None:
        return ref
    found = _likely(header, ref, text, label)
    if None in found and place.path is not None:
        # Names do not tell: what the columns hold may.
        header = read_table(place.path, None, columns_of_file(ref, None).names())
        found = _likely(header, ref, text, label)
    if None in found:
        raise DataError(likely_columns.question(header, *found))
    return replace(
        ref,
        text=found[0] if text is None else ref.text,
        label=found[1] if label is None else ref.label,
    )


def _names_of(ref: DataRef, place: Place, whole: bool) -> Table | None:
    """Return the columns of a table.

    None where its header alone does not tell.
    """
    if place.path is None:
        if not whole:
            return None
        from trainables.engine.datasets.hub import read_hub

        usual = columns_of_file(ref, None)
        return read_hub(hub_source(place), [], usual.label)
    known = columns_of_file(ref, None).names()
    header = read_header(place.path, known)
    if header is None and whole:
        return read_table(place.path, None, known)
    return header


def _likely(
    table: Table, ref: DataRef, text: str | None, label: str | None
) -> tuple[str | None, str | None]:
    """Return the columns of texts and labels, None where not clear.

    Args:
        table: The table.
        ref: The user's names.
        text: Column of the texts, where it is known.
        label: Column of the labels, where it is known.
    """
    taken = {"split", text, ref.text_b, label, ref.image, ref.image_b, *ref.metadata}
    if label is None:
        label = likely_columns.label_column(table, taken)
    if text is None:
        text = likely_columns.text_column(table, {*taken, label}, ref.text_b)
    return text, label
