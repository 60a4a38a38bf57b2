"""Removes URLs from a text.

"There is little or no semantic information in the URLs": Team Noir at Factify 2 (Zhang et al.,
De-Factify 2023), section 3.2. A URL ends where plain ASCII ends, so that Hindi which follows one
without a blank stays.
"""

from __future__ import annotations

import re

_URL = re.compile(
    r"(?:\bhttps?://|\bwww\.|\bpic\.twitter\.com/|\bt\.co/)[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*",
    re.IGNORECASE | re.ASCII,
)
# Signs that end a sentence or a bracket around a URL are not part of it.
_TRAILING = ".,;:!?'\")]"


def without_urls(text: str) -> str:
    """Return the text without URLs; blanks around them become one."""

    def tail(match: re.Match[str]) -> str:
        url = match.group()
        return " " + url[len(url.rstrip(_TRAILING)) :]

    return " ".join(_URL.sub(tail, text).split()) if _URL.search(text) else text


CLEANING = without_urls
