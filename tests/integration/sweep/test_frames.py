"""Results as pandas frames say what the leaderboard says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from search.sweep.load import load_record
from tests.integration.drawn_sweep import draw, spec_of
from tests.integration.ledger_cells import Opener

pytestmark = pytest.mark.integration


def score(config: Mapping[str, Any]) -> float:
    return 0.75 + 0.15 * (1.0 - config["beta"])


def test_a_row_a_config_and_a_row_a_cell(ledger_uri: str, open_ledger: Opener) -> None:
    draw(open_ledger(), spec_of(ledger_uri), score, rows=600, noise=0.002)
    _, outcome = load_record(ledger_uri, "test", "drawn")
    frame, cells = outcome.frame(), outcome.cells()
    assert len(frame) == len(outcome.standings.rows) == 21
    assert frame.index.name == "rank"
    assert frame.loc[1, "status"] == "winner"
    assert frame.loc[1, "beta"] == 0.1
    baseline = frame[frame["name"] == "cross-entropy"].iloc[0]
    assert baseline["beta"] == 1.0
    assert frame["k"].isna().sum() == 1, "proxies have no effect in the baseline"
    assert len(cells) == 21 * 6
    means = cells.dropna().groupby(["k", "scale", "beta"])["score"].mean()
    best = frame.loc[1]
    assert means[best["k"], best["scale"], 0.1] == pytest.approx(best["mean"])
