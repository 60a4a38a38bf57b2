"""New rows from Python, scored by a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.api.tables import path_of
from search.errors import InputError
from search.planning.file_columns import WholeTable, check_file, likely_columns
from search.serving.predict_file import predict_file
from search.sweep.load import load_record
from trainables.engine.contract import DataRef

if TYPE_CHECKING:
    import pandas as pd


def predicted(
    tracking_uri: str,
    experiment: str,
    sweep: str,
    data: Any,
    words: Mapping[str, str | None],
) -> pd.DataFrame:
    """Score rows; returns a frame with their own columns and the answers.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweep: Name, MLflow run id, or `latest`.
        data: Frame, data set, path, one text or a list of texts.
        words: text, text_b and label, each a column or None.

    Raises:
        InputError: if there is no such sweep, or the rows lack a column.
    """
    import pandas as pd

    record, outcome = load_record(tracking_uri, experiment, sweep)
    ref = outcome.plan.task.data
    path = _file(data, ref, words)
    if ref.columns != "all":
        check_file(path, ref, words["text"], words["text_b"], words["label"])
    file = WholeTable.read(path, likely_columns(ref, words["text"], words["text_b"]))
    found, _ = predict_file((tracking_uri, experiment, record, outcome), file, **words)
    rows = found.found
    names = next((list(row) for row in rows if row is not None), ["label", "probability"])
    frame = pd.DataFrame({name: file.table.columns[name] for name in file.table.names})
    for name in names:
        column = f"predicted_{name}" if name in frame else name
        frame[column] = [None if row is None else row[name] for row in rows]
    return frame


def _file(data: Any, ref: DataRef, words: Mapping[str, str | None]) -> Path:
    """File of the rows."""
    column = words["text"] or ref.text or "text"
    if isinstance(data, str) and not Path(data).exists():
        if Path(data).suffix and " " not in data.strip():
            raise InputError(f"There is no file {data}.")
        data = [data]
    if isinstance(data, list | tuple) and all(isinstance(text, str) for text in data):
        data = [{column: text} for text in data]
    return Path(path_of(data, "rows"))
