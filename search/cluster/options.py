"""Words and limits of `foldrace submit`."""

from __future__ import annotations

SENT = ("run", "plan", "resume")
ASKED = ("status", "logs", "stop")
FOLDER = "~/foldrace-sweeps"
MOST_MIB = 20.0
