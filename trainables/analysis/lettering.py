"""Words of any script on a picture."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

_FONTS = ["DejaVu Sans", "Noto Sans Devanagari", "Lohit Devanagari", "Mangal", "Nirmala UI"]


def fonts() -> list[str]:
    """The fonts of this machine that words are drawn in: each letter in the first that has it."""
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in known]


def plain(word: str) -> str:
    """A word as it is: to matplotlib a dollar would start a formula."""
    return word.replace("$", r"\$")


def save(figure: Any, path: Path, **options: Any) -> None:
    """Write a matplotlib figure; a letter that no font has is drawn as a box.

    Args:
        figure: The figure.
        path: Where to; its suffix names the format.
        options: Of `Figure.savefig`.
    """
    with warnings.catch_warnings():
        # The table beside the picture still has the word.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, **options)
