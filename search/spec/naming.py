"""Names of sweeps, and rows that a data set's name stands for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from search.checks.names import name_of
from trainables.engine.contract import NO_MODEL, DataRef


def names_of(text: str) -> tuple[str, ...]:
    """Names of sweeps with commas; the word none names none."""
    names = tuple(name.strip() for name in text.split(","))
    return () if names == ("none",) else names


def default_name(space: str, data: DataRef, model: str, train_rows: int | None = None) -> str:
    """Default name of a sweep: space, data and model."""
    data_name = Path(Path(data.name).name.removesuffix(".gz")).stem
    subset = "" if data.subset is None else f"-{data.subset}"
    drawn = "" if train_rows is None else f"-{in_thousands(train_rows)}"
    of_model = "" if model == NO_MODEL else f"-{Path(model).name}"
    return name_of(f"{space}-{data_name}{subset}{drawn}{of_model}")


def in_thousands(rows: int) -> str:
    """A number of rows as in names: 1k, 10k, 500."""
    return f"{rows // 1000}k" if rows % 1000 == 0 else str(rows)


def rows_of_name(data: DataRef, train_rows: int | None, official: bool) -> dict[str, Any]:
    """Data and training rows that a registry name stands for.

    `trec-1k` is `trec` with 1,000 training rows a cell. Where a paper's authors used the training
    part alone, so does its name, but for the official test part.

    Raises:
        ValueError: if the name says another number of rows.
    """
    from trainables.engine.datasets.dataset_card import find

    card, rows = find(data.name)
    if card is None:
        return {}
    if rows is not None:
        if train_rows not in (None, rows):
            raise ValueError(
                f"data {data.name} trains each cell on {rows:,} rows: leave train_rows out, or "
                f"name the data {card.name}; got {train_rows}"
            )
        data = dataclasses.replace(data, name=card.name)
    if data.parts is None and card.training and not official:
        data = dataclasses.replace(data, parts="train")
    return {"data": data, "train_rows": rows or train_rows}
