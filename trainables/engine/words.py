r"""The words of a text in any script: letters, marks and numbers in a row.

Python's `\w` leaves out combining marks, without which Hindi falls to pieces: the vowel signs of
Devanagari are marks. An apostrophe or hyphen inside a word belongs to it.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache

# The zero-width joiners decide how letters of Devanagari are drawn.
_JOINERS = "\u200c\u200d"


@cache
def _pattern() -> re.Pattern[str]:
    marks = [i for i in range(0x300, sys.maxunicode) if unicodedata.category(chr(i))[0] == "M"]
    letter = rf"[\w{re.escape(''.join(map(chr, marks)))}{_JOINERS}]"
    return re.compile(rf"{letter}+(?:['\u2019\u2010\u2011-]{letter}+)*")


def words(text: str) -> Iterator[re.Match[str]]:
    """The words of a text, each with its place."""
    return _pattern().finditer(text)
