"""The folder in which downloads and everything that is costly to make are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Where downloads are kept: FOLDRACE_CACHE, else the user's cache folder for foldrace."""
    chosen = os.environ.get("FOLDRACE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("foldrace"))
