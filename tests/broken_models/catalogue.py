"""Model folders broken in one way each, and the words that say so."""

from __future__ import annotations

# For their entries.
from tests.broken_models import files, kinds, sound, tokenizers, weights
from tests.broken_models.changes import BREAKS, SOUND, copy_of

__all__ = ["BREAKS", "SOUND", "copy_of", "files", "kinds", "sound", "tokenizers", "weights"]
