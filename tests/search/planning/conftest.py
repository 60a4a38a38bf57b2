"""A sweep of the reviews, and its plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from trainables.engine.contract import DataRef


@pytest.fixture
def fields(reviews: Path, tiny_encoder: Path) -> dict[str, Any]:
    return {
        "space": "softtriple",
        "data": DataRef(name=str(reviews), text="body", label="verdict"),
        "model": str(tiny_encoder),
        "name": "mine",
        "seeds": (2, 16),
        "folds": 2,
        "fix": {"max_length": 16},
    }


def planned(fields: dict[str, Any], **changes: Any) -> Plan:
    """Plan of a spec of these fields, some of them changed."""
    return prepare(make_spec(**{**fields, **changes}))[0]
