"""A note that nothing is due holds while entry, ledger and clock are what they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from search.schedule.quiet import Quiet, alone

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NEXT = NOW + timedelta(hours=14)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def noted(uri: str = "sqlite:///mlflow.db", entry: str = "{}") -> Quiet:
    quiet = Quiet.of("a", entry, uri, "foldrace")
    with alone("a"):
        quiet.put(NOW, NEXT, quiet.stamp())
    return quiet


def test_a_note_holds_until_the_next_firing() -> None:
    quiet = noted()
    assert quiet.until(LATER) == NEXT
    assert quiet.until(NEXT) is None
    assert quiet.until(NOW - timedelta(minutes=1)) is None, "the clock was set back"


def test_another_entry_or_ledger_has_another_note() -> None:
    noted()
    assert Quiet.of("a", '{"cron": "x"}', "sqlite:///mlflow.db", "foldrace").until(LATER) is None
    assert Quiet.of("a", "{}", "sqlite:///other.db", "foldrace").until(LATER) is None
    assert Quiet.of("a", "{}", "sqlite:///mlflow.db", "other").until(LATER) is None


@pytest.mark.parametrize("changed", ["mlflow.db", "mlflow.db-wal"])
def test_a_local_ledger_that_was_written_is_asked_again(changed: str) -> None:
    Path("mlflow.db").write_text("a ledger")
    quiet = noted()
    assert quiet.until(LATER) == NEXT
    Path(changed).write_text("a ledger with one sweep more")
    assert quiet.until(LATER) is None


def test_a_server_is_asked_every_hour() -> None:
    quiet = noted("http://127.0.0.1:5000")
    assert quiet.until(NOW + timedelta(minutes=59)) == NEXT
    assert quiet.until(NOW + timedelta(minutes=61)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"until": 3}'])
def test_a_damaged_note_is_none(text: str) -> None:
    quiet = noted()
    quiet.path.write_text(text)
    assert quiet.until(LATER) is None
