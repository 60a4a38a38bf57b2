"""Words and limits of `foldrace submit`, for its parser and its work."""

from __future__ import annotations

SENT = ("run", "plan", "resume")
ASKED = ("status", "logs", "stop")
FOLDER = "~/foldrace-sweeps"
MOST_MIB = 20.0
