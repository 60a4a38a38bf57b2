"""Removes punctuation of any script; letters, marks and numbers stay.

Section 3.2 of Team Noir at Factify 2 (Zhang et al., De-Factify 2023). A hyphen or an apostrophe
inside a word goes without a blank, as in the paper's table 1 ("covid19"); a separator between
digits stays (3.5, 1,000); any other sign becomes a blank. Unicode defines punctuation: the danda
of Hindi is, its vowel signs are not.
"""

from __future__ import annotations

import string
import unicodedata

_INSIDE = "-'\u2019\u2010\u2011"
_BETWEEN_DIGITS = ".,:/"


def without_punctuation(text: str) -> str:
    """Return the text without punctuation, single blanks between words."""
    chars = []
    for place, char in enumerate(text):
        if not _is_punctuation(char):
            chars.append(char)
            continue
        before = text[place - 1] if place else " "
        after = text[place + 1] if place + 1 < len(text) else " "
        if char in _BETWEEN_DIGITS and before.isdigit() and after.isdigit():
            chars.append(char)
        elif char not in _INSIDE or not (_of_word(before) and _of_word(after)):
            chars.append(" ")
    return " ".join("".join(chars).split())


def _is_punctuation(char: str) -> bool:
    return char in string.punctuation or unicodedata.category(char)[0] == "P"


def _of_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


CLEANING = without_punctuation
