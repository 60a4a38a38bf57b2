"""Leaves a text as it is: `--clean none` takes the place of a space's own steps."""

from __future__ import annotations


def unchanged(text: str) -> str:
    """The text."""
    return text


CLEANING = unchanged
