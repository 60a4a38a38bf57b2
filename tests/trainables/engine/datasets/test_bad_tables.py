"""Every odd table of the corpus is read rightly, or refused with file, place and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_tables import CASES, Read
from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import check_names, load_data
from trainables.engine.errors import DataError


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
