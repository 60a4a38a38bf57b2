"""Checks of names, numbers, addresses, and places to write to.

A check has `fault(value)`, the end of a sentence such as "must be at least 1, got 0", or None.
Options of the command line take checks as their `type`; a `SweepSpec` asks the same ones.
"""

from __future__ import annotations

from typing import Any, Protocol

from search.errors import InputError


class Check(Protocol):
    """Judge of a value."""

    def fault(self, value: Any) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        ...


def refuse(check: Check, what: str, value: Any) -> None:
    """Refuse a value that a check finds at fault.

    Args:
        check: Judge of the value.
        what: Option or field, for messages.
        value: That is judged.

    Raises:
        InputError: naming the option, what was found, and what is allowed.
    """
    fault = check.fault(value)
    if fault is not None:
        raise InputError(f"{what} {fault}.")


class Word:
    """Check of a word, which is taken as it is."""

    def __call__(self, text: str) -> str:
        """Take a typed word."""
        return text
