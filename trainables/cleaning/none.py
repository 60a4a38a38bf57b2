"""Leaves a text as it is.

`--clean none` replaces a space's own steps.
"""

from __future__ import annotations


def unchanged(text: str) -> str:
    """Return the text."""
    return text


CLEANING = unchanged
