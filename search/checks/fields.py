"""Checks as rules of pydantic's fields."""

from __future__ import annotations

from typing import Any

from pydantic import AfterValidator, ValidationInfo

from search.checks import Check

SAVED = {"saved": True}
"""Context of values from the ledger: rules may be stricter today."""


def judged(check: Check) -> AfterValidator:
    """Rule of a field by a check; saved values are passed."""

    def judge(value: Any, given: ValidationInfo) -> Any:
        fault = None if given.context == SAVED else check.fault(value)
        if fault is not None:
            raise ValueError(fault)
        return value

    return AfterValidator(judge)
