"""What the options of `foldrace submit` and `foldrace schedule` share with what they do."""

from __future__ import annotations

SENT = ("run", "plan", "resume")
ASKED = ("status", "logs", "stop")
FOLDER = "~/foldrace-sweeps"
MOST_MIB = 20.0
CALLERS = ("cron", "systemd", "kubernetes")
