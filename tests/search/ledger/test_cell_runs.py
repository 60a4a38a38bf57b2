"""Runs of cells by key."""

from __future__ import annotations

from search.ledger.cell_runs import CellRun, CellRuns

DONE, FAILED, HALF = (
    CellRun("FINISHED", "a"),
    CellRun("FAILED", "b"),
    CellRun("RUNNING", "c", 7, "w"),
)


def test_what_was_put_is_there() -> None:
    runs = CellRuns()
    runs.put("one", [DONE])
    runs.put("several", [FAILED, HALF])
    assert runs.of("one") == [DONE]
    assert runs.of("several") == [FAILED, HALF]
    assert runs.of("none") == []
    assert ("one" in runs, "several" in runs, "none" in runs) == (True, True, False)


def test_the_latest_put_counts() -> None:
    runs = CellRuns()
    for put in ([HALF], [DONE], [DONE, FAILED], [DONE]):
        runs.put("key", put)
        assert runs.of("key") == put
    runs.put("key", [])
    assert "key" not in runs


def test_only_what_is_unclear_is_gone_through() -> None:
    runs, more = CellRuns(), CellRuns()
    runs.put("one", [DONE])
    more.put("half", [HALF])
    more.put("one", [FAILED])
    runs.update(more)
    assert dict(runs.unclear()) == {"half": [HALF], "one": [FAILED]}


def test_ids_come_back_as_they_were() -> None:
    runs = CellRuns()
    for text in ("0aff", "0AFF", "abc", "0a ff", "", "naïve"):
        runs.put(text, [CellRun("FINISHED", text[::-1])])
    for text in ("0aff", "0AFF", "abc", "0a ff", "", "naïve"):
        assert runs.of(text) == [CellRun("FINISHED", text[::-1])]
    again = CellRuns()
    again.update(runs)
    assert again.of("0aff") == [CellRun("FINISHED", "ffa0")]
