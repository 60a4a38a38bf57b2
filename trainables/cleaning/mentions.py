"""Replaces the mentions of a tweet by one word.

"@ann, @bob hello" becomes "username hello".

Mentions in a row, with only blanks and commas between them, become one `username`. An @ inside a
word, as in a mail address, begins no mention.

Source: Fake News Classification with BERT (Malakhov, Patruno, Bocconi, MediaEval 2020), section 3.1
"Data preprocessing", and its example.
"""

from __future__ import annotations

import re

_AT = "[@\N{FULLWIDTH COMMERCIAL AT}]"
_MENTIONS = re.compile(rf"(?<!\w){_AT}\w+(?:[\s,]*{_AT}\w+)*")


def with_username(text: str) -> str:
    """Return the text with `username` for each run of mentions."""
    return _MENTIONS.sub("username", text)


CLEANING = with_username
