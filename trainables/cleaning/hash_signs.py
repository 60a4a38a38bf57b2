"""Removes the hash signs of a tweet.

"an #example" becomes "an example".

Source: Fake News Classification with BERT (Malakhov, Patruno, Bocconi, MediaEval 2020), section 3.1
"Data preprocessing": "exclude the hash sign (#) from the text".
"""

from __future__ import annotations

_SIGNS = str.maketrans("", "", "#\N{FULLWIDTH NUMBER SIGN}")


def without_hash_signs(text: str) -> str:
    """Return the text without # (U+0023, U+FF03); words behind them stay."""
    return text.translate(_SIGNS)


CLEANING = without_hash_signs
