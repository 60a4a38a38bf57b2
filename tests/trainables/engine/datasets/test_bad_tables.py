"""Every odd table of the corpus is read rightly, or refused with file, place and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_tables import CASES, Read
from trainables.engine.contract import DataRef, Split
from trainables.engine.datasets.load import check_names, load_data
from trainables.engine.errors import DataError
from trainables.engine.splits import folds


@pytest.mark.parametrize("name", CASES)
def test_a_table_is_read_rightly_or_refused_in_words(name: str, tmp_path: Path) -> None:
    file, content, outcome = CASES[name]
    path = tmp_path / file
    path.write_bytes(content)
    ref = DataRef(name=str(path))
    if isinstance(outcome, Read):
        check_names(ref)
        data = load_data(ref)
        assert data.label_names == outcome.classes
        assert len(data) == outcome.rows
        assert data.texts[0] == outcome.text
        for words in outcome.notes:
            assert words in " / ".join(data.notes)
        return
    with pytest.raises(DataError) as refused:
        load_data(ref)
    message = str(refused.value)
    for words in outcome.words:
        assert words in message
    assert file in message or "split" in message
    assert len(message) < 600 + len(str(path))
    assert message.isprintable()


def test_a_part_whose_labels_are_hidden_is_no_test_part_and_the_message_says_why(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(CASES["hidden labels of a part"][1])
    data = load_data(DataRef(name=str(path)))
    with pytest.raises(DataError, match=r"has: train 50\. \(10 rows with the label -1 left out"):
        folds.held_out(data, Split(holdout="official"), 2, 0)
