"""Words of any script on a picture."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

_FONTS = ["DejaVu Sans", "Noto Sans Devanagari", "Lohit Devanagari", "Mangal", "Nirmala UI"]


def fonts() -> list[str]:
    """Return the fonts of this machine for words of any script.

    Each letter is drawn in the first font that has it.
    """
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in known]


def save(figure: Any, path: Path, **options: Any) -> None:
    """Write a matplotlib figure.

    A letter that no font has is drawn as a box. No text is a formula, though it holds dollars.

    Args:
        figure: Figure.
        path: Path of the picture; its suffix names the format.
        options: Options of `Figure.savefig`.
    """
    import matplotlib as mpl
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    with warnings.catch_warnings(), mpl.rc_context({"text.parse_math": False}):
        # The table beside the picture still has the word.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, **options)
