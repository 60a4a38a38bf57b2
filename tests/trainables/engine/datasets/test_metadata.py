"""Numeric columns beside the texts: read as they are, fingerprinted, and carried along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError, NoMetadataError
from trainables.engine.inputs import metadata_inputs
from trainables.engine.text_data import TextData

ROWS = [
    ("good film", "yes", "3", "0.5", "true"),
    ("bad film", "no", "", "1.5", "false"),
    ("fine story", "yes", "120000", "-2", "True"),
    ("poor story", "no", "7", "", "no"),
]


def write(folder: Path, rows: list[tuple[str, ...]] = ROWS) -> str:
    path = folder / "tweets.csv"
    lines = ["text,label,likes,tone,verified", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def load(name: str, *columns: str, **how: object) -> TextData:
    return load_data(DataRef(name=name, metadata=columns, **how))  # type: ignore[arg-type]


def test_columns_are_numbers_and_blank_cells_are_missing(tmp_path: Path) -> None:
    data = load(write(tmp_path), "tone", "likes")
    assert data.metadata is not None
    assert data.metadata.names == ("tone", "likes")
    expected = [[0.5, 3], [1.5, np.nan], [-2, 120000], [np.nan, 7]]
    np.testing.assert_array_equal(data.metadata.values, expected)
    assert "metadata 'likes': 1 of 4 values missing" in data.notes


def test_logical_values_are_0_and_1(tmp_path: Path) -> None:
    data = load(write(tmp_path, ROWS[:3]), "verified")
    assert data.metadata is not None
    assert data.metadata.values[:, 0].tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("like",), r"no column 'like' for --metadata. Did you mean 'likes'\?"),
        (("likes", "likes"), "names likes more than once"),
        (("label",), "'label' holds texts or labels"),
        (("verified",), r"must hold numbers, found 'no' in data row 4"),
    ],
)
def test_what_is_no_metadata_is_named(
    tmp_path: Path, columns: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(write(tmp_path), *columns)


def test_a_column_without_a_value_is_refused(tmp_path: Path) -> None:
    rows = [(*row[:2], "", *row[3:]) for row in ROWS]
    with pytest.raises(DataError, match=r"'likes' of .* has no value in any row"):
        load(write(tmp_path, rows), "likes")


def test_metadata_are_part_of_the_fingerprint_and_nothing_else_is_changed(tmp_path: Path) -> None:
    name = write(tmp_path)
    plain, tone, both = load(name), load(name, "tone"), load(name, "tone", "likes")
    assert plain.metadata is None
    assert len({plain.fingerprint, tone.fingerprint, both.fingerprint}) == 3
    assert (plain.texts, plain.labels.tolist()) == (both.texts, both.labels.tolist())
    changed = [("good film", "yes", "3", "0.25", "true"), *ROWS[1:]]
    assert load(write(tmp_path, changed), "tone").fingerprint != tone.fingerprint
    assert load(write(tmp_path, ROWS), "tone").fingerprint == tone.fingerprint


def test_rows_that_are_taken_or_cleaned_keep_their_own_metadata(tmp_path: Path) -> None:
    name = write(tmp_path, [("#", "yes", "9", "9", "true"), *ROWS])
    data = load(name, "tone", cleaning=("hash-signs",), drop_missing=True)
    assert data.metadata is not None
    np.testing.assert_array_equal(data.metadata.values[:, 0], [0.5, 1.5, -2, np.nan])
    taken = data.take(np.array([2, 0])).metadata
    assert taken is not None
    assert taken.values[:, 0].tolist() == [-2, 0.5]


def test_the_table_says_what_is_missing_and_log_takes_the_size_of_counts(tmp_path: Path) -> None:
    data = load(write(tmp_path), "likes", "tone")
    table = metadata_inputs.table(data, "log").numpy().astype(float)
    np.testing.assert_array_equal(table[:, 2:], [[0, 0], [1, 0], [0, 0], [0, 1]])
    assert table[1, 0] == table[3, 1] == 0
    # Whatever shift and stretch: distances between values are those of sign(x) ln(1 + |x|).
    likes = np.log1p([3, 120000, 7])
    found = table[[0, 2, 3], 0]
    ratio = (likes[1] - likes[0]) / (likes[2] - likes[0])
    assert (found[1] - found[0]) / (found[2] - found[0]) == pytest.approx(ratio, rel=1e-5)
    tone = np.array([np.log(1.5), np.log(2.5), -np.log(3)])
    assert np.corrcoef(tone, table[:3, 1])[0, 1] == pytest.approx(1)


def test_data_without_metadata_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NoMetadataError, match="name them with --metadata"):
        metadata_inputs.table(load(write(tmp_path)), "log")


def test_they_come_beside_the_tokens_for_any_shape_of_batch() -> None:
    class Plain:
        gathers = True

        def to(self, device: torch.device) -> Plain:
            return self

        def longest(self, rows: np.ndarray) -> int:
            return 1

        def shortest(self, rows: np.ndarray) -> int:
            return 1

        def padded(
            self, rows: np.ndarray | torch.Tensor, length: int | None = None
        ) -> dict[str, torch.Tensor]:
            return {"input_ids": torch.as_tensor(rows)}

    values = torch.arange(12.0).reshape(6, 2)
    given = metadata_inputs.WithMetadata(Plain(), values).padded(np.array([[5, 0], [1, 1]]))
    assert given["input_ids"].shape == (2, 2)
    assert given["metadata"].tolist() == [[[10, 11], [0, 1]], [[2, 3], [2, 3]]]
