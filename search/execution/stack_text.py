"""Cells of a stack as one short text for Ray Tune."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence

from trainables.engine.contract import Cell


def packed(cells: Sequence[Cell]) -> str:
    """Text of a stack's cells.

    Tune keeps two copies of each trial's config for the life of the sweep, and looks into nested
    values for things to resolve: a stack is one text, and its configs, which are much alike, a
    tenth of their JSON.
    """
    text = json.dumps([vars(cell) for cell in cells])
    return base64.b85encode(zlib.compress(text.encode())).decode("ascii")


def unpacked(text: str) -> list[Cell]:
    """Cells of a text that `packed` made."""
    cells = json.loads(zlib.decompress(base64.b85decode(text)))
    return [Cell(**cell) for cell in cells]
